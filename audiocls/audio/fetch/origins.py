"""The table of data sets: addresses, sizes, checksums and licences.

Only checksums that are published with the data or by a widely used library are listed; where there
is none, `unsummed` says what is verified instead.
"""

from dataclasses import dataclass

from audiocls.audio.datasets.audioset import BALANCED, CLASSES, EVALUATION, UNBALANCED

_AUDIOSET = "https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/"


@dataclass(frozen=True)
class Remote:
    """One file to download.

    `num_bytes` is its exact size if known, `checksum` is `algorithm:hex` digits, and `unsummed` the
    reason if there is none. An archive's entries lie in its folder `top`.
    """

    url: str
    file: str
    num_bytes: int | None = None
    checksum: str | None = None
    unsummed: str = ""
    is_archive: bool = True
    top: str = ""


@dataclass(frozen=True)
class Origin:
    """Facts about a data set, and where to download it.

    `folder` is its folder under the root, and `num_clips` the number of clips there; both are empty
    for data that is generated or your own. `by_hand` says why a part cannot be downloaded.
    """

    name: str
    what: str
    classes: str
    protocol: str
    licence: str
    size: str
    page: str = ""
    folder: str = ""
    num_clips: int = 0
    remotes: tuple[Remote, ...] = ()
    by_hand: str = ""

    @property
    def command(self) -> str:
        """The subcommand of `audiocls data` to begin with, and its argument."""
        verb = "fetch" if self.remotes else "make" if self.name == "synthetic" else "check"
        return f"{verb} {self.name}"

    def row(self) -> dict[str, str]:
        """Return the columns of `audiocls data list`."""
        columns = ("name", "what", "classes", "protocol", "licence", "size", "command")
        return {name: getattr(self, name) for name in columns}


def _list(file: str) -> Remote:
    counted = "no checksum is published; the number of rows must be the one in its header"
    return Remote(_AUDIOSET + file, file, unsummed=counted, is_archive=False)


ORIGINS = {
    origin.name: origin
    for origin in (
        Origin(
            name="synthetic",
            what="synthetic sounds, for tests and timing",
            classes="10",
            protocol="5 folds",
            licence="yours",
            size="made in seconds",
        ),
        Origin(
            name="esc50",
            what="environmental recordings; has ESC-10 in it",
            classes="50",
            protocol="5 official folds",
            licence="CC BY-NC 3.0; ESC-10: CC BY 3.0",
            size="2000 clips, 0.65 GB",
            page="https://github.com/karolpiczak/ESC-50",
            folder="ESC-50-master",
            num_clips=2000,
            remotes=(
                Remote(
                    "https://github.com/karoldvl/ESC-50/archive/master.zip",
                    "ESC-50-master.zip",
                    # Published checksums are of one archive; GitHub may generate it anew.
                    unsummed="GitHub generates the archive on demand, not always the same bytes; "
                    "its own CRC-32 of each file and the number of clips (2000) are verified",
                    top="ESC-50-master",
                ),
            ),
        ),
        Origin(
            name="urbansound8k",
            what="urban field recordings, at most 4 s",
            classes="10",
            protocol="10 official folds",
            licence="CC BY-NC 3.0",
            size="8732 clips, 6.0 GB",
            page="https://zenodo.org/records/1203745",
            folder="UrbanSound8K",
            num_clips=8732,
            remotes=(
                Remote(
                    "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz?download=1",
                    "UrbanSound8K.tar.gz",
                    num_bytes=6_023_741_708,
                    checksum="md5:9aa69802bbf37fb986f71ec1483a196e",  # Zenodo's; also soundata's
                    top="UrbanSound8K",
                ),
            ),
        ),
        Origin(
            name="speechcommands",
            what="spoken words of 1 s, version 0.02",
            classes="35",
            protocol="official lists, by speaker",
            licence="CC BY 4.0",
            size="105,829 clips, 2.4 GB",
            page="https://arxiv.org/abs/1804.03209",
            folder="SpeechCommands/speech_commands_v0.02",
            num_clips=105_829,
            remotes=(
                Remote(
                    "https://storage.googleapis.com/download.tensorflow.org/data/"
                    "speech_commands_v0.02.tar.gz",
                    "speech_commands_v0.02.tar.gz",
                    num_bytes=2_428_923_189,
                    # torchaudio's; TensorFlow Datasets' too
                    checksum="sha256:"
                    "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
                ),
            ),
        ),
        Origin(
            name="audioset",
            what="10 s of a video, several labels each",
            classes="527",
            protocol="official lists",
            licence="lists CC BY 4.0; sound: the uploaders'",
            size="2.1 M segments, no sound",
            page="https://research.google.com/audioset/download.html",
            folder="AudioSet",
            remotes=tuple(_list(file) for file in (CLASSES, BALANCED, EVALUATION, UNBALANCED)),
            by_hand="Google publishes lists of video segments, not their audio, which is copyright "
            "of the uploaders. Put your files at audio/<YTID>.wav (or .flac, .ogg, .mp3) beside "
            "the lists; data.missing=leave_out skips segments that are missing.",
        ),
        Origin(
            name="folder",
            what="your own recordings: class folders, or a list in CSV",
            classes="yours",
            protocol="yours, or 5 folds of sources",
            licence="yours",
            size="yours",
        ),
        Origin(
            name="shards",
            what="Parquet or Arrow of `datasets`, tars of WebDataset",
            classes="yours",
            protocol="yours, or 5 folds of sources",
            licence="yours",
            size="yours",
        ),
    )
}
