"""Records as files of JSON, each whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pointsman.calibration.certificate import Certificate
from pointsman.calibration.record import CalibrationRecord
from pointsman.runtime.settings_file import SettingsError
from pointsman.runtime.whole_files import written_whole

_MOST_BYTES: Final = 1 << 20
_CERTIFICATE: Final = ".certificate.json"
Record = CalibrationRecord | Certificate


def record_files(folder: Path) -> list[Path]:
    """Those of the folder, sorted; none where it isn't there."""
    return sorted(folder.glob("*.json"))


def read_record(file: Path) -> Record:
    """Raises `SettingsError` naming the file and what is wrong with it."""
    kind: type[Record] = Certificate if file.name.endswith(_CERTIFICATE) else CalibrationRecord
    called = "certificate" if kind is Certificate else "calibration record"
    try:
        data = file.read_bytes()
        if len(data) > _MOST_BYTES:
            raise SettingsError(f"{file}: too long for a {called}")
        return kind.model_validate_json(data)
    except OSError as error:
        raise SettingsError(f"{file}: can't be read: {error.strerror}") from None
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{file}: not a {called}: {where + ': ' if where else ''}{first['msg']}") from None


def write_record(folder: Path, record: Record) -> Path:
    """Writes it whole or not at all, and returns its file. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{record.name}{_CERTIFICATE if isinstance(record, Certificate) else '.json'}"
    with written_whole(file) as opened:
        opened.write(json.dumps(record.model_dump(mode="json"), separators=(",", ":")).encode() + b"\n")
    return file
