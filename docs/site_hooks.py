"""What MkDocs does not do by itself: the site also holds the repository's own pages, and links between them work in both places.

The documentation is written to be read in the repository, where `../CONTRIBUTING.md` is a file. In the site the README is the
start page, and each file outside of docs/ that a page links to is copied below `repository/`.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(?=[)\s#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for linked in sorted(set().union(*(_outside(file) for file in list(files) if file.is_documentation_page()))):
        for path in _files_of(ROOT / linked):
            uri = f"repository/{path.relative_to(ROOT)}"
            if uri not in files.src_uris:
                files.append(File.generated(config, uri, abs_src_path=str(path)))
        if (ROOT / linked).is_dir():
            files.append(File.generated(config, f"repository/{linked}/README.md", content=_listing(ROOT / linked)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Each link leads to where the site has what it names in the repository."""
    here = posixpath.dirname(page.file.src_uri)
    source = _in_repository(page.file.src_uri)
    return LINK.sub(lambda link: posixpath.relpath(_in_site(_resolved(source, link[1])), here or "."), markdown)


def _outside(file: File) -> set[str]:
    """The repository's files and folders outside of docs/ that this page links to."""
    source = _in_repository(file.src_uri)
    named = {_resolved(source, link) for link in LINK.findall(file.content_string)}
    return {path for path in named if not path.startswith("docs/") and path not in PAGES and (ROOT / path).exists()}


def _resolved(source: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _in_repository(uri: str) -> str:
    return next((source for source, page in PAGES.items() if page == uri), f"docs/{uri}")


def _in_site(path: str) -> str:
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"repository/{path}/README.md" if (ROOT / path).is_dir() else f"repository/{path}"


def _files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(one for one in path.iterdir() if one.is_file())


def _listing(folder: Path) -> str:
    lines = [f"- [{one.name}]({one.name})" for one in _files_of(folder)]
    return "\n".join([f"# {folder.relative_to(ROOT)}", "", *lines, ""])
