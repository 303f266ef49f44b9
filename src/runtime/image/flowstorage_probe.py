"""Runs a piece of the user's Python in a forked child and says in one line what went wrong.

Shared by the programs beside it; owns the result lines, the forks, and the wording of causes.

**Invariant**: whatever the user's code does (print, exit, crash, hang, close its streams), the
parent survives, and each result stands whole on a line of its own on standard output.
"""

import faulthandler
import json
import os
import re
import select
import signal
import sys
import time
import traceback

PREFIX = "flowstorage-check: "
LONGEST_MESSAGE = 600

_OWN_FILES = ("flowstorage_", "flows.py", "check_environment.py")
_PATHS_OF_A_SPEC = ("output", "registration", "workdir", "uv", "base_conflicts", "sonames", "programs")
_HERE = os.path.dirname(os.path.abspath(__file__))
_MISSING_LIBRARY = re.compile(
    r"(?P<glibc>lib[^\s:/]*\.so[^\s:/]*): cannot open shared object file"
    r"|loading shared library (?P<musl>lib[^\s:/]*\.so[^\s:/]*):"
)
_TOO_OLD_LIBRARY = re.compile(r"version [`'](?P<symbol>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found")

# The last byte that was written to standard output, so that a result never lands in the middle
# of a line that the user's code left open.
_last_byte = b"\n"


def prepare_process():
    """Makes this process leave no trace: no bytecode, and no import of our own files by users."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # A user's module may well be called `flows`: ours must not hide it.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]


def read_spec(path):
    """Reads a program's spec; its paths become what this Python calls the files they name.

    Without a UTF-8 locale, Python 3.6 takes a file name for ASCII with foreign bytes in it.
    """
    with open(path, encoding="utf-8") as file:
        spec = json.load(file)
    for key in _PATHS_OF_A_SPEC:
        if isinstance(spec.get(key), str):
            spec[key] = _file_name(spec[key])
    spec["modules"] = [_file_name(path) for path in spec.get("modules") or []]
    for flow in spec.get("flows") or []:
        flow.update(script=_file_name(flow["script"]), location=_file_name(flow["location"]))
    return spec


def report(level, check, subject, message, remedy=None, missing=None):
    """Returns one result; `missing` lists what would have to be installed."""
    result = {
        "level": level,
        "check": check,
        "subject": _one_line(subject),
        "message": _one_line(message),
        "remedy": _one_line(remedy) if remedy else None,
    }
    if missing:
        result["missing"] = [dict(need, name=_one_line(need["name"])) for need in missing]
    return result


def emit(results):
    """Prints results; returns whether one of them is an error."""
    for result in results:
        line = PREFIX + json.dumps(result, sort_keys=False) + "\n"
        _forward((b"" if _last_byte == b"\n" else b"\n") + line.encode("ascii"))
    return any(result["level"] == "error" for result in results)


def say(text):
    """Prints ordinary text, whatever the user's code did to `sys.stdout` or the locale."""
    _flush_streams()
    _forward(_encoded(text))


def in_child(work, seconds):
    """Runs `work` in a forked child; returns `(its JSON-able value, None)` or `(None, death)`.

    `death` says in one line how the child ended when it did not live to return a value.
    """
    _flush_streams()
    result_read, result_write = os.pipe()
    output_read, output_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(result_read)
        os.close(output_read)
        _live_as_child(work, result_write, output_write)
    os.close(result_write)
    os.close(output_write)
    os.set_blocking(output_read, False)
    try:
        payload, status = _follow(pid, result_read, output_read, seconds)
    finally:
        os.close(result_read)
        os.close(output_read)
    if payload.endswith(b"\n"):
        value, death = json.loads(payload.decode("ascii"))
        return value, death
    return None, _describe_death(status, seconds)


def show_traceback(error, hidden_roots=()):
    """Prints the traceback without the frames that lead from us to the user's code."""
    frame = error.__traceback__
    while frame is not None and _is_machinery(frame.tb_frame.f_code.co_filename, hidden_roots):
        frame = frame.tb_next
    if frame is None:
        lines = traceback.format_exception_only(type(error), error)
    else:
        lines = traceback.format_exception(type(error), error, frame)
    say("".join(lines))


def cause(error):
    """Returns one line that names why `error` happened, without the machinery around it."""
    root = _telling(error)
    text = str(root).strip()
    text = text.splitlines()[0] if text else ""
    text = text.replace(": No such file or directory", "") if _library_of(root) else text
    if isinstance(root, ModuleNotFoundError) and root.name:
        return "No module named `{}`".format(root.name)
    if isinstance(root, (ImportError, OSError)) and text:
        return text
    name = type(root).__name__
    return "{}: {}".format(name, text) if text else name


def remedy(error):
    """Returns what to do about `error`, or None where nobody but its author can know."""
    root = _telling(error)
    library = _library_of(root)
    if library:
        return "add the Debian package that has `{}` to system_packages".format(library)
    program = _missing_program(root)
    if program:
        return "add the Debian package that has the program `{}` to system_packages".format(program)
    too_old = _TOO_OLD_LIBRARY.search(str(root))
    if too_old:
        return "take a base_image with a newer system: this build needs `{}`".format(
            too_old.group("symbol")
        )
    if isinstance(root, ModuleNotFoundError):
        return "add the distribution to python_dependencies, or a local module to modules"
    if isinstance(root, ImportError) and "relative import" in str(root):
        return "import by the package's whole name: a script that is run is in no package"
    if isinstance(root, KeyError) and _raised_by_environ(root):
        return "set `{}` where you build, or in env_vars if it is no credential".format(root.args[0])
    return None


def missing(error):
    """Returns a result's `missing` for `error`, or None; which package has it is not known here."""
    library = missing_library(error)
    name = library or _missing_program(_telling(error))
    if name is None:
        return None
    kind = "library" if library else "program"
    return [{"kind": kind, "name": name, "packages": [], "phase": "run"}]


def missing_library(error):
    """Returns the file name of the library for lack of which `error` happened, or None."""
    return _library_of(_telling(error))


def _missing_program(error):
    """Returns the name of the program for lack of which `error` happened, or None."""
    name = getattr(error, "filename", None)
    if not isinstance(error, FileNotFoundError) or not isinstance(name, str) or "/" in name:
        return None
    return name if _raised_by(error, "subprocess") else None


def _raised_by_environ(error):
    """Returns whether a KeyError is that of a variable which is not set."""
    return _raised_by(error, "os")


def _raised_by(error, module):
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    # Its file may be the interpreter's own, without a path.
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == module


def line_in(error, path):
    """Returns the line of file `path` that the error came through last, or None."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    line = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == path:
            line = number
    return line


def _file_name(text):
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def _one_line(text):
    text = " ".join(str(text).split())
    if len(text) > LONGEST_MESSAGE:
        text = text[: LONGEST_MESSAGE - 3] + "..."
    # No strict JSON reader accepts the surrogates that stand for the bytes of odd file names.
    return _encoded(text).decode("utf-8", "backslashreplace")


def _encoded(text):
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _telling(error):
    """Returns the exception of the chain that tells most: a missing library or module first.

    Packages such as numpy wrap the loader's one line into a page of general advice.
    """
    chain = []
    link = error
    while link is not None and not any(link is seen for seen in chain):
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for link in chain:
        if _library_of(link) or _TOO_OLD_LIBRARY.search(str(link)) or _missing_program(link):
            return link
    if len(str(error).strip().splitlines()) > 1 and error.__cause__ is not None:
        return _telling(error.__cause__)
    return error


def _library_of(error):
    if not isinstance(error, (ImportError, OSError)):
        return None
    found = _MISSING_LIBRARY.search(str(error))
    return (found.group("glibc") or found.group("musl")) if found else None


def _is_machinery(filename, hidden_roots):
    if filename.startswith("<frozen ") or os.path.basename(filename) == "runpy.py":
        return True
    folder, name = os.path.split(os.path.abspath(filename))
    if folder == _HERE and name.startswith(_OWN_FILES):
        return True
    return any(filename.startswith(root.rstrip(os.sep) + os.sep) for root in hidden_roots)


def _live_as_child(work, result_write, output_write):
    """Never returns: a child that unwound its parent's stack would run the rest of it twice."""
    try:
        os.setpgid(0, 0)
        os.dup2(output_write, 1)
        os.close(output_write)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        faulthandler.enable(file=2)
        try:
            payload = json.dumps([work(), None])
        except BaseException as error:  # Work that lets one through has met a fault of its own.
            say("".join(traceback.format_exception(type(error), error, error.__traceback__)))
            payload = json.dumps([None, cause(error)])
        _flush_streams()
        data = payload.encode("ascii") + b"\n"
        while data:
            data = data[os.write(result_write, data) :]
    finally:
        os._exit(0)


def _follow(pid, result_read, output_read, seconds):
    """Passes the child's output on until it has given its result or died, then reaps it."""
    payload = b""
    status = None
    sources = [result_read, output_read]
    deadline = time.monotonic() + seconds
    while not payload.endswith(b"\n"):
        ready, _, _ = select.select(sources, [], [], 0.1)
        if output_read in ready:
            _drain(output_read, once=True)
        if result_read in ready:
            piece = os.read(result_read, 65536)
            payload += piece
            if not piece:
                sources.remove(result_read)
            continue
        ended, ended_status = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = ended_status
            # The result may have arrived between the look at the pipe and the child's end.
            while result_read in sources and select.select([result_read], [], [], 0)[0]:
                piece = os.read(result_read, 65536)
                payload += piece
                if not piece:
                    break
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            status = "timeout"
            break
    if status is None:
        _, status = os.waitpid(pid, 0)
    try:
        # What the user's code left running would outlive the check.
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    _drain(output_read, once=False)
    return payload, status


def _drain(output_read, once):
    while True:
        try:
            data = os.read(output_read, 65536)
        except BlockingIOError:
            return
        if not data:
            if once:
                # The child closed its standard output; without a pause the loop would spin.
                time.sleep(0.01)
            return
        _forward(data)
        if once:
            return


def _forward(data):
    global _last_byte
    _last_byte = data[-1:] or _last_byte
    while data:
        data = data[os.write(1, data) :]


def _describe_death(status, seconds):
    if status == "timeout":
        return "it took longer than {} s".format(seconds)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal {}".format(number)
        hint = ", most often for lack of memory" if number == signal.SIGKILL else ""
        return "the process was killed by {}{}".format(name, hint)
    return "the process ended itself with status {}".format(os.WEXITSTATUS(status))


def _flush_streams():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # The user's code may have closed or replaced it.
            continue
