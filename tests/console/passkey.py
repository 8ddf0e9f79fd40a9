"""A device without a screen: makes passkeys, and shows them, as a browser hands that on."""

import json
from hashlib import sha256
from os import urandom
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from portico.domain.people import User

FLAG = AuthenticatorData.FLAG


class Device:
    """One passkey for one site. `verifies` says whether it asks for a finger or a code."""

    def __init__(
        self, site: str = "localhost", origin: str = "http://localhost:8000", *, verifies: bool = True
    ) -> None:
        self.site, self.origin, self.verifies = site, origin, verifies
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = urandom(16)

    def made(self, challenge: str, *, alone: bool = True) -> str:
        """What the browser sends after `navigator.credentials.create`."""
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        data = AuthenticatorData.create(self._site(), self._flags() | FLAG.AT, 0, credential)
        response = {
            "clientDataJSON": self._client("webauthn.create", challenge).b64,
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        }
        return self._sent(response, credProps={"rk": alone})

    def shown(self, challenge: str, user: User | None = None) -> str:
        """What the browser sends after `navigator.credentials.get`."""
        client = self._client("webauthn.get", challenge)
        data = AuthenticatorData.create(self._site(), self._flags(), 0)
        signature = self.key.sign(data + client.hash, ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": client.b64,
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
        }
        if user:
            response["userHandle"] = websafe_encode(user.pk.hex.encode())
        return self._sent(response)

    def _sent(self, response: Any, **extensions: Any) -> str:
        key = websafe_encode(self.id)
        return json.dumps(
            {"type": "public-key", "id": key, "rawId": key, "response": response, "clientExtensionResults": extensions}
        )

    def _client(self, kind: str, challenge: str) -> CollectedClientData:
        return CollectedClientData.create(kind, challenge, self.origin)

    def _site(self) -> bytes:
        return sha256(self.site.encode()).digest()

    def _flags(self) -> Any:
        return FLAG.UP | FLAG.UV if self.verifies else FLAG.UP


def challenge(client: Client) -> str:
    """The one that a page has just asked."""
    return str(client.session["mfa.webauthn.state"]["challenge"])
