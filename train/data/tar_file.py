"""Python's ``TarFile``, except that what is cut off or damaged is an error, not the end."""

from __future__ import annotations

import tarfile


class _Header(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        if buf and not any(buf):
            buf = bytes(tarfile.BLOCKSIZE)  # the end may be cut: no file begins with a zero
        return super().frombuf(buf, encoding, errors)

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Header:
        assert isinstance(archive, StrictTarFile)
        try:
            info = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined] # a block of zeros
            archive.ended = True
            raise
        except tarfile.EmptyHeaderError as error:  # type: ignore[attr-defined] # the file is over
            if archive.ended:
                raise
            raise tarfile.ReadError("it has no end") from error
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"unexpected end of data: {error}") from None
        archive.ended = False
        return info


class StrictTarFile(tarfile.TarFile):
    """Reads an archive; ``tarfile.ReadError`` where it is damaged or lacks its end.

    The end is a block of zeros; most programs write two or more. With ``ignore_zeros`` an archive
    that follows another (``cat``) is read as well.
    """

    tarinfo = _Header
    ended = False
