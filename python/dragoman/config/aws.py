"""Who the gateway is to AWS."""

from __future__ import annotations

from typing import Annotated

from dragoman.config.part import Part


class Aws(Part, frozen=True, kw_only=True):
    """Who the gateway is to AWS. With none of these, what AWS's own tools would find."""

    access_key_id: Annotated[str, "empty: found in the environment, a profile, or given by the machine"] = ""
    secret_access_key: Annotated[str, "better as ${VAR} or ${file:/path}"] = ""
    session_token: Annotated[str, "of keys that expire"] = ""
    profile: Annotated[str, "of ~/.aws/config"] = ""
    role_arn: Annotated[str, "a role to assume with these"] = ""
    external_id: Annotated[str, "what the role asks for"] = ""
    region: Annotated[str, "empty: that of the base_url"] = ""
