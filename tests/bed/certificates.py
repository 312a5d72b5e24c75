"""The certificates and kubeconfigs of a bed: short-lived, in its folder, for loopback only."""

import base64
import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=30)
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True)
class Pair:
    """The files of a private key and of what others check it by."""

    public: Path
    key: Path


class Authority:
    """A certificate authority whose own key never leaves memory."""

    def __init__(self, folder: Path, name: str, now: datetime.datetime) -> None:
        self.folder = folder
        self.certificate = folder / f"{name}.crt"
        self._now = now
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        signed = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue_server(self, name: str) -> Pair:
        """Issue a serving certificate for the loopback address and the names of the API server."""
        names = [x509.DNSName(each) for each in SERVER_NAMES]
        addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in SERVER_ADDRESSES]
        return self._issue(
            name,
            _name(name),
            ExtendedKeyUsageOID.SERVER_AUTH,
            x509.SubjectAlternativeName([*names, *addresses]),
        )

    def issue_client(self, user: str, group: str = "") -> Pair:
        """Issue a client certificate; the API server reads user and group from its subject."""
        return self._issue(
            user.replace(":", "-"), _name(user, group), ExtendedKeyUsageOID.CLIENT_AUTH
        )

    def _issue(
        self,
        file: str,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        alternative: x509.SubjectAlternativeName | None = None,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject, key).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if alternative:
            builder = builder.add_extension(alternative, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        public = signed.public_bytes(serialization.Encoding.PEM)
        return _write(self.folder, file, key, public)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - datetime.timedelta(hours=1))
            .not_valid_after(self._now + LIFETIME)
        )


def issue_signing_key(folder: Path, name: str) -> Pair:
    """Make a key that signs tokens, with its bare public half."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _write(folder, name, key, public)


def write_kubeconfig(path: Path, server: str, authority: Path, client: Pair) -> Path:
    """Write a kubeconfig that carries its certificates, so that it may be copied."""
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    user = {
        "client-certificate-data": _base64(client.public),
        "client-key-data": _base64(client.key),
    }
    context = {"cluster": "bed", "user": "bed"}
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "bed", "cluster": cluster}],
                "users": [{"name": "bed", "user": user}],
                "contexts": [{"name": "bed", "context": context}],
                "current-context": "bed",
            },
            indent=1,
        )
    )
    return path


def _name(user: str, group: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, public: bytes) -> Pair:
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.public.write_bytes(public)
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pair
