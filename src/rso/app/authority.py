"""The webhook's own certificate authority: its keys, its leaves, and when each is renewed.

One Secret holds it for all replicas; a leaf is each replica's own and leaves its memory never. An
authority is renewed with an overlap: the next one is trusted for a day before it signs, and the
last one until it expires, so that neither a slow API server nor a slow replica meets a stranger.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rso.core.names import APP

AUTHORITY_LIFE = timedelta(days=730)
LEAF_LIFE = timedelta(days=60)
SKEW = timedelta(hours=1)  # by which the clocks of two machines may differ
OVERLAP = timedelta(days=1)
_RENEWED_AT = 2 / 3  # of a life


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate.

        Raises: ValueError.
        """
        return x509.load_pem_x509_certificate(self.certificate)

    def is_due(self, now: datetime) -> bool:
        """Return whether two thirds of its life are over."""
        found = self.parsed
        life = found.not_valid_after_utc - found.not_valid_before_utc
        return now >= found.not_valid_before_utc + life * _RENEWED_AT


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs now, who will sign next, and who has signed before."""

    signer: Pair
    following: Pair | None = None
    former: bytes = b""

    @property
    def bundle(self) -> bytes:
        """The certificates that must be trusted, as PEM."""
        following = self.following.certificate if self.following else b""
        return self.signer.certificate + following + self.former


def renewed(authority: Authority, now: datetime) -> Authority:
    """Return the authority as it should be at this time; equal when nothing is due.

    Raises: ValueError, when what is stored cannot be read.
    """
    following = authority.following
    if following is not None:
        since = following.parsed.not_valid_before_utc + SKEW
        if now >= since + OVERLAP:
            return Authority(following, former=authority.signer.certificate)
    elif authority.signer.is_due(now):
        return replace(authority, following=make_authority(now))
    if authority.former and _is_over(authority.former, now):
        return replace(authority, former=b"")
    return authority


def make_authority(now: datetime) -> Pair:
    """Return a new certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{APP} {now:%Y-%m-%d}")])
    built = (
        _builder(name, name, key, (now, AUTHORITY_LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(built, key)


def make_leaf(signer: Pair, hosts: tuple[str, ...], now: datetime) -> Pair:
    """Return a new certificate for these DNS names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = serialization.load_pem_private_key(signer.key, None)
    if not isinstance(issuer, EllipticCurvePrivateKey):
        raise ValueError("the authority's key is of another kind")  # noqa: TRY004  as for PEM
    # A common name has at most 64 characters; the alternative names are what counts.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    names = [x509.DNSName(each) for each in hosts]
    built = (
        _builder(name, signer.parsed.subject, key, (now, LEAF_LIFE))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .sign(issuer, hashes.SHA256())
    )
    return _pair(built, key)


def _builder(
    name: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    life: tuple[datetime, timedelta],
) -> x509.CertificateBuilder:
    begin, length = life
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - SKEW)
        .not_valid_after(begin + length)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> Pair:
    encoding = serialization.Encoding.PEM
    return Pair(
        certificate.public_bytes(encoding),
        key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _is_over(certificate: bytes, now: datetime) -> bool:
    return now >= x509.load_pem_x509_certificate(certificate).not_valid_after_utc
