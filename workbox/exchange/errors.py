"""What can be wrong with a file, and with the steps of an import."""

from workbox.core.errors import Conflict, Malformed, NotFound


class FileRefused(Malformed):
    """The file is too large, too wide, of the wrong kind or torn; nothing of it was read further."""

    code = "file_refused"


class ImportUnknown(NotFound):
    """There is no such import."""

    code = "import_not_found"


class WrongStep(Conflict):
    """The import is not at the step that was asked for."""

    code = "wrong_step"


class NothingWritten(Conflict):
    """All or nothing was asked for, and some rows cannot be brought in."""

    code = "rows_in_error"
