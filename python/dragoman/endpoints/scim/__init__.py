"""SCIM 2.0 (RFC 7643, 7644): people and their groups, as a directory provisions them; groups are teams."""
