"""Certificates for servers in tests, and what pins their keys: by another hand than ours."""

from __future__ import annotations

import ssl
from base64 import b64encode
from hashlib import sha256

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server with this certificate needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def der_of(certificate: trustme.LeafCert) -> bytes:
    """The server's own certificate."""
    return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())


def hash_of(certificate: trustme.LeafCert) -> bytes:
    """The SHA-256 of its SubjectPublicKeyInfo."""
    key = load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def pin_of(certificate: trustme.LeafCert) -> str:
    """What pins its key, as a configuration has it."""
    return f"sha256/{b64encode(hash_of(certificate)).decode()}"
