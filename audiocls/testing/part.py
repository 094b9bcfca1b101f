"""From an import string and options to the part that a recipe would have."""

from typing import Any, TypeVar

from pydantic import ValidationError

from audiocls.errors import ConfigError
from audiocls.parts import OWN_FILES, OwnPart
from audiocls.validation_errors import describe_errors

P = TypeVar("P", bound=OwnPart)


def part_of(kind: type[P], part: Any, options: dict[str, Any]) -> Any:
    """Return options as they are, or the own part that an import string means.

    Raises `ConfigError` with everything that is wrong with name and options.
    """
    if not isinstance(part, str):
        return part
    given = {"name": part, **options}
    try:
        return kind.model_validate(given, context=OWN_FILES)
    except ValidationError as error:
        raise ConfigError(part, describe_errors(error, kind, given)) from error
