"""APK Signature Scheme v2, in Python alone: what Android 7 and later check before they install.

    entries | signing block | central directory | end record (its offset moved behind the block)

The three parts other than the block are cut into chunks of 1 MB; the digest of the chunks' digests is signed with RSA
(PKCS #1 v1.5, SHA-256: the same input gives the same bytes). source.android.com, "APK signature scheme v2".
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from importlib.resources import files

_MAGIC = b"APK Sig Block 42"
_V2_BLOCK = 0x7109871A
_RSA_PKCS1_SHA256 = 0x0103
_CHUNK_BYTES = 1 << 20
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
# DER of DigestInfo with SHA-256, and of AlgorithmIdentifier rsaEncryption (RFC 8017, A.2.4 and A.1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


@dataclass(frozen=True)
class Key:
    """An RSA key and its certificate (DER)."""

    modulus: int
    public_exponent: int
    private_exponent: int
    certificate: bytes

    @staticmethod
    def debug() -> Key:
        """The key of debug builds; everybody has it."""
        text = files("mobilekit.android").joinpath("data/debug_key.json").read_text(encoding="utf-8")
        document = json.loads(text)
        return Key(
            modulus=int("".join(document["modulus"]), 16),
            public_exponent=document["public_exponent"],
            private_exponent=int("".join(document["private_exponent"]), 16),
            certificate=base64.b64decode("".join(document["certificate"])),
        )

    def sign(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256."""
        size = (self.modulus.bit_length() + 7) // 8
        digest = _DIGEST_INFO + hashlib.sha256(data).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
        return pow(int.from_bytes(padded, "big"), self.private_exponent, self.modulus).to_bytes(size, "big")

    def public_key(self) -> bytes:
        """DER of the SubjectPublicKeyInfo."""
        numbers = _der(0x30, _integer(self.modulus) + _integer(self.public_exponent))
        return _der(0x30, _RSA_ENCRYPTION + _der(0x03, b"\x00" + numbers))


def sign(unsigned: bytes, key: Key) -> bytes:
    """A zip without a signature and without a comment -> the signed APK."""
    end = len(unsigned) - _END_RECORD_BYTES
    if end < 0 or unsigned[end : end + 4] != _END_RECORD:
        raise ValueError("expected a zip that ends with an end record and no comment")
    (directory,) = struct.unpack_from("<I", unsigned, end + 16)
    parts = unsigned[:directory], unsigned[directory:end], unsigned[end:]
    block = _block(_signer(parts, key))
    end_record = parts[2][:16] + struct.pack("<I", directory + len(block)) + parts[2][20:]
    return parts[0] + block + parts[1] + end_record


def _signer(parts: tuple[bytes, ...], key: Key) -> bytes:
    digests = _sized(struct.pack("<I", _RSA_PKCS1_SHA256) + _sized(_content_digest(parts)))
    signed = _sized(digests) + _sized(_sized(key.certificate)) + _sized(b"")
    signature = _sized(struct.pack("<I", _RSA_PKCS1_SHA256) + _sized(key.sign(signed)))
    return _sized(signed) + _sized(signature) + _sized(key.public_key())


def _content_digest(parts: tuple[bytes, ...]) -> bytes:
    chunks = [part[at : at + _CHUNK_BYTES] for part in parts for at in range(0, len(part), _CHUNK_BYTES)]
    digests = [hashlib.sha256(b"\xa5" + struct.pack("<I", len(chunk)) + chunk).digest() for chunk in chunks]
    return hashlib.sha256(b"\x5a" + struct.pack("<I", len(chunks)) + b"".join(digests)).digest()


def _block(signer: bytes) -> bytes:
    value = struct.pack("<I", _V2_BLOCK) + _sized(_sized(signer))
    pairs = struct.pack("<Q", len(value)) + value
    size = struct.pack("<Q", len(pairs) + 8 + len(_MAGIC))
    return size + pairs + size + _MAGIC


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))  # one bit more: the sign


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
