#!/usr/bin/python3
"""Signs an artifact that mender-artifact wrote unsigned, and gives its outer archive fixed times.

  sign-artifact.py UNSIGNED KEY SIGNED

The signature is what `mender-artifact sign` makes (ECDSA P-256 over SHA-256 of the manifest, base64 of r and s
side by side), with the nonce of RFC 6979: the same manifest and key give the same signature. A token
(os-image/keys/token.sh) draws nonces of its own.
SOURCE_DATE_EPOCH is the time of every entry.

Source: Mender artifact format v3; RFC 6979 §3.2; SEC 1 §C.8 (the DER form that OpenSSL writes).
"""
import base64
import io
import os
import subprocess
import sys
import tarfile
import tempfile

COORDINATE_BYTES = 32  # P-256


def integers(der):
    """The two INTEGERs of the SEQUENCE; both are shorter than 128 bytes, so lengths are one byte each."""
    first = 4 + der[3]
    return int.from_bytes(der[4:first], 'big'), int.from_bytes(der[first + 2:], 'big')


def signature(manifest, key):
    with open(key) as file:
        nonce = [] if 'PKCS#11' in file.read() else ['-pkeyopt', 'nonce-type:1']
    # pkeyutl -rawin wants to know the size beforehand: a file, not a pipe.
    with tempfile.NamedTemporaryFile() as file:
        file.write(manifest)
        file.flush()
        der = subprocess.run(['openssl', 'pkeyutl', '-sign', '-rawin', '-digest', 'sha256', *nonce, '-inkey', key, '-in', file.name],
                             check=True, stdout=subprocess.PIPE).stdout
    return base64.b64encode(b''.join(number.to_bytes(COORDINATE_BYTES, 'big') for number in integers(der)))


def main(unsigned, key, signed):
    def add(name, size, content):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = size, 0o600, int(os.environ['SOURCE_DATE_EPOCH'])
        target.addfile(entry, content)

    with tarfile.open(unsigned) as source, tarfile.open(signed, 'w', format=tarfile.USTAR_FORMAT) as target:
        for member in source:
            if member.name == 'manifest':
                manifest = source.extractfile(member).read()
                made = signature(manifest, key)
                add('manifest', len(manifest), io.BytesIO(manifest))
                add('manifest.sig', len(made), io.BytesIO(made))
            else:
                add(member.name, member.size, source.extractfile(member))


if __name__ == '__main__':
    main(*sys.argv[1:])
