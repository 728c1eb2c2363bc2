"""Handlers translate, domain decides, store remembers; contexts meet only on the wire."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTEXTS = ("user", "catalog", "processing", "streaming")
SHARED_FILES = {"__main__.py", "settings.py", "domain", "store", "tables.py", "handlers", "migrations"}


def modules(*patterns: str) -> list[Path]:
    """Find source files; a module that became a package of the same name counts with all of its files."""
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def imports(path: Path) -> set[str]:
    """Read which modules a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def offenders(paths: list[Path], forbidden) -> list[str]:
    """List the imports of `paths` that are not allowed there."""
    assert paths, "the rule found no file to look at"
    return [f"{path.relative_to(ROOT)}: {name}" for path in paths for name in sorted(imports(path)) if forbidden(name)]


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_domain_knows_only_rules(context):
    """The standard library and the words for refusals; no database, no wire, no clock of its own."""
    allowed = ("services.common.errors", "services.common.names", f"services.{context}.domain")

    def forbidden(name):
        return name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(allowed)

    paths = modules(f"services/{context}/domain.py", f"services/{context}/domain/*.py")
    assert offenders(paths, forbidden) == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_handlers_never_see_the_database(context):
    """They ask the store."""

    def forbidden(name):
        return name.startswith(("sqlalchemy", "psycopg", "alembic", f"services.{context}.tables"))

    assert offenders(modules(f"services/{context}/handlers/*.py"), forbidden) == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_service_imports_another(context):
    """They call each other's RPCs or hear each other's events."""
    others = tuple(f"services.{other}" for other in CONTEXTS if other != context)

    assert offenders(modules(f"services/{context}/**/*.py"), lambda name: name.startswith(others)) == []


def test_what_is_shared_knows_no_context():
    """services/common and the administrator's job stand below all of them."""
    contexts = tuple(f"services.{context}." for context in CONTEXTS)
    paths = modules("services/common/**/*.py", "services/provision/**/*.py")

    assert offenders(paths, lambda name: name.startswith(contexts)) == []


def test_nothing_that_an_image_runs_knows_the_command_line():
    """`./spotilike` starts one machine and is in no image."""
    paths = modules("services/**/*.py", "envoy/**/*.py")

    assert offenders(paths, lambda name: name.startswith(("cli.", "tests."))) == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_migrations_are_history_and_never_follow_the_code(context):
    """A revision that imported tables.py would change with it."""
    paths = modules(f"services/{context}/migrations/0*.py")

    assert offenders(paths, lambda name: name.startswith("services.")) == []


def test_only_settings_read_the_environment():
    """Everything else is told."""
    allowed = {ROOT / "services/common/settings.py"}
    readers = [
        path
        for path in modules("services/**/*.py")
        if path not in allowed and ("os.environ" in path.read_text() or "os.getenv" in path.read_text())
    ]

    assert readers == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_context_is_laid_out_alike(context):
    """Who knows one service finds the way in all of them."""
    folder = ROOT / "services" / context
    names = {path.name for path in folder.iterdir()} | {path.stem for path in folder.iterdir()}

    assert names >= SHARED_FILES
