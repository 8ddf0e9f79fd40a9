"""Keys for one purpose each, derived from the server's key by HKDF (RFC 5869) with SHA-256."""

from base64 import urlsafe_b64encode
from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def server_keys() -> list[str]:
    """The key in use, then those that were in use and are still believed."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


@cache
def derive(key: str, purpose: bytes, length: int) -> bytes:
    """`length` bytes that tell nothing of the key nor of the bytes for another purpose."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(key.encode())


def cipher(purpose: bytes) -> MultiFernet:
    """Encrypts under the key in use; what former keys have encrypted can still be read."""
    return MultiFernet([Fernet(urlsafe_b64encode(derive(key, purpose, 32))) for key in server_keys()])
