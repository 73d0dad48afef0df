"""What a model's own files point to: everything that leads out of its folder is refused, and what has only a name is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from bot.gate import Denied, load_model
from bot.gate.manifests import digest_of, manifest_in
from bot.gate.package_lists import PACKAGES
from bot.gate.paths import why_outside
from bot.gate.references import LARGEST, LARGEST_LOCK, references_in
from tests.gate.approvals import Shelf, approval, gate

LOADER = """
class Model:
    def predict(self, x, params=None):
        return ["{said}"]

def _load_pyfunc(path, *a, **k):
    return Model()
"""
OUTSIDE = [
    "/opt/code",
    "//host/share",
    "../code",
    "code/../../other",
    "code/..",
    "%2e%2e/code",
    "%252e%252e%252fcode",
    "%2Fopt%2Fcode",
    "..\\code",
    "code\\..\\..\\other",
    "C:\\code",
    "c:/code",
    "C:code",
    "\\\\host\\share",
    "~/code",
    "~root/code",
    "file:///opt/code",
    "FILE:/opt/code",
    "local:/opt/code",
    " /opt/code",
    ".. /code",
    "code\0/../..",
    "registered_model_meta",
    "./registered_model_meta/",
    "Registered%5FModel_Meta",
]
INSIDE = [
    "code",
    "code/a.py",
    "a..b/c",
    "...",
    "data/model.pkl",
    "data/registered_model_meta",
    "mlflow.sklearn",
    "3.11.7",
    "cloudpickle",
    "Q: {question}",
    "~",
    "...",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leaves_its_folder_on_any_system_is_recognised(path: str) -> None:
    assert why_outside(path)


@pytest.mark.parametrize("path", INSIDE)
def test_what_stays_in_the_folder_or_is_no_path_is_not(path: str) -> None:
    assert why_outside(path) == ""


def described(folder: Path, flavor: object, name: str = "python_function", **more: object) -> Path:
    """A model's folder with an MLmodel file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {name: flavor}, "model_uuid": "1", **more}))
    return folder


@pytest.mark.parametrize(
    "flavor",
    [
        {"code": "/opt/code"},
        {"data": "../data"},
        {"pickled_model": "registered_model_meta"},
        {"python_model": "../model.pkl"},
        {"model_code_path": "/opt/.."},
        {"config": "/opt/%2e%2e%2fx"},
        {"inner": {"model_code_path": "/opt/model.py"}},
        {"env": "/opt/conda.yaml"},
        {"env": {"conda": "../conda.yaml", "virtualenv": "python_env.yaml"}},
        {"env": {"conda": "other.yaml"}},
        {"env": {"virtualenv": "inner/python_env.yaml"}},
        {"artifacts": {"vocabulary": {"path": "../words", "uri": "/home/ana/words"}}},
        {"artifacts": {"vocabulary": {"path": "words", "uri": "/home/ana/words", "more": "x"}}},
        {"anything": [{"deep": {"down": "%2e%2e/x"}}]},
        {"source_model_name": "/opt/model", "source_model_revision": "abc"},
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["", "artifacts/inner/"])
def test_each_path_of_any_flavor_and_of_a_model_inside_the_model_is_looked_at(
    tmp_path: Path, flavor: object, where: str
) -> None:
    described(tmp_path / where, flavor, "some_flavor" if "env" not in str(flavor) else "python_function")

    found = references_in(tmp_path)

    assert len(found.outside) == 1
    assert f"{where}MLmodel, flavors." in found.outside[0]


def test_yaml_that_hides_a_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("hidden: &more {code: x}\nflavors:\n  python_function:\n    <<: *more\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "MLmodel").write_text("flavors: [")
    bomb = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "MLmodel").write_text(bomb)

    found = references_in(tmp_path)

    assert found.outside == (
        "MLmodel, flavors.python_function.<<: merged keys, which hide paths",
        "inner/MLmodel cannot be read, so its paths were not read",
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("requirements.txt", "-r ../more.txt"),
        ("requirements.txt", "-r more.txt"),
        ("requirements.txt", "-r https://example.com/requirements.txt"),
        ("requirements.txt", "-r inner/requirements.txt"),
        ("requirements.txt", "-e /opt/code"),
        ("requirements.txt", "-e../code"),
        ("requirements.txt", "--find-links=/opt/wheels"),
        ("requirements.txt", "mine @ file:///opt/mine.whl"),
        ("requirements.txt", "mine @ git+file:///opt/mine"),
        ("requirements.txt", "/opt/mine.whl"),
        ("requirements.txt", "${HOME}/mine.whl"),
        ("requirements.txt", "numpy==2.0 \\\n  ../mine.whl"),
        ("conda.yaml", "dependencies: [python=3.11, {pip: [../mine.whl]}]"),
        ("conda.yaml", "channels: ['file:///opt/channel']"),
        ("python_env.yaml", "dependencies: ['-r ../requirements.txt']"),
        ("uv.lock", '[[package]]\nname = "mine"\nsource = { editable = "../mine" }'),
        ("uv.lock", '[[package]]\nname = "mine"\nsource = { url = "file:///opt/mine.whl" }'),
        ("uv.lock", '[[package]]\n"name" = "mine" # it\'s\nsource = { editable = \'../mine\' }'),
        ("uv.lock", '[[package]]\nsource = { editable = "\\u002e\\u002e/mine" }'),
        ("uv.lock", '[[package]]\nsource.editable = """\n../mine"""'),
        ("uv.lock", "x = ['''a''''', '../mine', 'b']"),
        ("uv.lock", 'x = ["""a\\"""", "../mine", ""]'),
        ("pyproject.toml", '[tool.uv.sources]\nmine = { path = "/opt/mine" }'),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["mine @ file:///opt/mine.whl"]'),
        ("pyproject.toml", '[build-system]\nrequires = ["../backend"]'),
        ("pyproject.toml", "not = [toml"),
    ],
)
def test_a_list_of_packages_that_installs_from_elsewhere_on_the_machine_is_refused(
    tmp_path: Path, name: str, line: str
) -> None:
    described(tmp_path, {})
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / name).write_text(line + "\n")

    assert len(references_in(tmp_path).outside) == 1


@pytest.mark.parametrize("name", ["requirements.txt", "conda.yaml", "python_env.yaml", "uv.lock", "pyproject.toml"])
def test_a_file_that_mlflow_never_reads_is_only_a_file(tmp_path: Path, name: str) -> None:
    hostile = {"pyproject.toml": '[build-system]\nrequires = ["../backend"]'}.get(
        name, "dependencies: ['-e ../code']\n["
    )
    described(tmp_path, {})
    for folder in ("code", "artifacts/data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(hostile)
    if name == "pyproject.toml":
        (tmp_path / name).write_text(hostile)

    found = references_in(tmp_path)

    assert (found.outside, found.uncovered) == ((), ())


DEEP = "[" * 32_000
WIDE = "&a [" + "x, " * 10_000 + "x]"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MLmodel", DEEP),
        ("MLmodel", "flavors:\n  python_function:\n    code: " + DEEP),
        ("MLmodel", f"more: {WIDE}\nflavors:\n" + "".join(f"  f{n}: {{config: *a, x: *a}}\n" for n in range(4_000))),
        (
            "MLmodel",
            f"flavors:\n  f: &f {{{', '.join(f'k{n}: /x' for n in range(4_000))}}}\n"
            + "".join(f"  g{n}: *f\n" for n in range(4_000)),
        ),
        ("MLmodel", f"? {'k' * 100_000}\n: {{{', '.join(f'k{n}: /x' for n in range(4_000))}}}"),
        ("inner/MLmodel", DEEP),
        ("conda.yaml", "dependencies: " + DEEP),
        ("python_env.yaml", "dependencies: " + DEEP),
        ("requirements.txt", "../x " * 50_000),
        ("requirements.txt", "-r" + " =" * 500_000),
        ("uv.lock", ("a." * 1_000_000)[:-1]),
        ("uv.lock", '"""' + '\\"""' * 300_000),
        ("uv.lock", "''" * 300_000),
        ("uv.lock", DEEP * 100),
        ("pyproject.toml", ("a." * 500_000)[:-1] + " = 1"),
        ("pyproject.toml", f"x = {DEEP}"),
        ("pyproject.toml", "project = 1\ntool = [2]"),
        ("config.json", DEEP),
        ("config.json", '{"auto_map": ' + '{"a": ' * 100_000),
    ],
    ids=lambda text: text[:12],
)
def test_no_file_of_a_model_takes_long_or_ends_the_process(tmp_path: Path, name: str, text: str) -> None:
    """Twice the text may take twice the time. If it took four times, or recursed in C, this would not end."""
    described(tmp_path, {})
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)

    found = references_in(tmp_path)

    assert len(found.outside) <= 5
    assert all(len(one) <= 120 for one in (*found.outside, *found.uncovered))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", json.dumps({"id2label": "x" * LARGEST})),
        ("config.json", "// made by a library of ours\n{}"),
        ("config.json", "\xff"),
        ("inner/tokenizer_config.json", "not JSON"),
        ("uv.lock", "#" * (LARGEST_LOCK + 1)),
    ],
    ids=["many labels", "comments", "other letters", "other format", "large lock"],
)
def test_what_cannot_be_read_and_could_only_name_more_is_said_and_not_denied(
    tmp_path: Path, name: str, text: str
) -> None:
    described(tmp_path / "inner", {})
    described(tmp_path, {})
    (tmp_path / name).write_text(text, encoding="latin-1")

    found = references_in(tmp_path)

    assert found.outside == ()
    assert [one.partition(": it ")[0] for one in found.uncovered] == [f"what {name} names"]


def test_a_large_lock_is_still_searched_for_paths(tmp_path: Path) -> None:
    described(tmp_path, {})
    (tmp_path / "uv.lock").write_text("#" * (2 * LARGEST) + '\nsource = { editable = "../mine" }\n')

    assert references_in(tmp_path).outside == ('uv.lock: "../mine" is a path with ..',)


@pytest.mark.parametrize("key", ["config", "model_config"])
def test_what_the_models_own_code_is_configured_with_is_said_and_not_denied(tmp_path: Path, key: str) -> None:
    route, prompt, table = "/v1/chat", "../notes\nAnswer briefly.", "~/tables/a.csv"
    settings = {"route": route, "prompts": [prompt, "in/here"], "deep": {"table": table, "name": "hf:/org/x"}}
    described(tmp_path, {key: settings, "code": "code"})

    found = references_in(tmp_path)

    assert found.outside == ()
    assert {one.partition(" (MLmodel, flavors.python_function.")[0] for one in found.uncovered} == {
        route,
        prompt.replace("\n", "?"),
        table,
        "hf:/org/x",
    }


@pytest.mark.parametrize(
    "flavors",
    [
        "{other: &f {env: other.yaml}, python_function: *f}",
        "{other: {config: &c {code: ../x}}, python_function: {inner: *c}}",
        "{other: &f {x: {code: y}}, <<: *f}",
        "{<<: [{python_function: {code: y}}]}",
    ],
)
def test_an_alias_hides_no_path(tmp_path: Path, flavors: str) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {flavors}\n")

    assert len(references_in(tmp_path).outside) == 1


def test_a_loader_that_the_models_own_code_may_lack_is_said(tmp_path: Path) -> None:
    described(tmp_path, {"loader_module": "mine.loading", "code": "code"})

    assert references_in(tmp_path).uncovered == ('the loader "mine.loading", unless "code" contains it',)


def test_what_mlflow_writes_leads_nowhere_and_what_is_only_named_is_said(tmp_path: Path) -> None:
    flavor = {
        "loader_module": "mine",
        "model_code_path": "/home/ana/model.py",
        "config": "/home/ana/config.yaml",
        "prompt": "hf:/org/prompt",
        "artifacts": {"a": {"path": "artifacts/a", "uri": "/home/ana/a"}},
    }
    hub = {"source_model_name": "gpt2", "source_model_revision": "abc", "tokenizer_type": "X"}
    local = {"source_model_name": "/home/ana/checkpoint", "model_binary": "model"}
    flavors = {"python_function": {**flavor, "env": None}, "transformers": hub, "other": {**local, "env": "production"}}
    text = {"flavors": flavors, "signature": {"inputs": '[{"name": "/x"}]'}, "metadata": {"route": "/v1"}}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({**text, "artifact_path": "/srv/mlruns/1/models/m-1/artifacts"}))
    (tmp_path / "requirements.txt").write_text(
        "numpy==2.0 \\\n  --hash=sha256:ab\nscipy ~= 1.0 # ../x\nuvicorn; python_version < '4'\n"
    )
    (tmp_path / "python_env.yaml").write_text("python: 3.11.7\ndependencies: ['-r requirements.txt']\n")
    (tmp_path / "conda.yaml").write_text(
        "dependencies: [python=3.11, 'pip<=24', {pip: ['mlflow==3.17']}]\nprefix: /opt/conda\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndescription = "../x"\nreadme = "/README"\ndependencies = ["numpy>=2"]\n[tool.other]\npath = "/opt"\n'
    )
    (tmp_path / "uv.lock").write_text(
        'version = 1\n[[package]]\nname = "x"\nsource = { virtual = "." }\n[[package]]\nname = "numpy"\n'
        'source = { registry = "https://index.example/simple" }\nwheels = [{ url = "https://example.com/a.whl", hash = "sha256:ab" }]\n'
    )
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoModel": "org/repo--modeling.Mine"}}')

    found = references_in(tmp_path)

    assert found.outside == ()
    assert set(found.uncovered) == {
        "hf:/org/prompt (MLmodel, flavors.python_function.prompt)",
        'the loader "mine", which is not among the files',
        '"gpt2" of the Hugging Face hub, revision abc',
        PACKAGES,
        "org/repo--modeling.Mine of the Hugging Face hub (config.json)",
    }


@pytest.fixture(autouse=True)
def asking_the_shelf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "shelf" in request.fixturenames:
        for name in ("COUNTERSIGN_URL", "COUNTERSIGN_API_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("shelf").url)


def stored(shelf: Shelf, local: Path) -> tuple[str, str]:
    """An approved version with these files: its URI, and how a program loads it through the gate."""
    run = shelf.client.create_run("0")
    shelf.client.log_artifacts(run.info.run_id, str(local), "model")
    shelf.client.set_terminated(run.info.run_id)
    version = shelf.version(source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    shelf.put(version, approval(version, artifacts=digest_of(manifest_in(local))))
    return f"models:/{version.model}/{version.version}", digest_of(manifest_in(local))


@pytest.mark.parametrize("how", ["absolute", "relative", "encoded"])
def test_code_outside_the_approved_files_is_never_run_by_the_gate(
    shelf: Shelf, key: str, tmp_path: Path, how: str
) -> None:
    """The digest is right, and an approval from before paths were looked at says nothing of them."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "swapped_loader.py").write_text(LOADER.format(said="swapped after the approval"))
    code = {"absolute": str(elsewhere), "relative": "../" * 12 + str(elsewhere)[1:], "encoded": f"%2e%2e{elsewhere}"}
    flavor = {"loader_module": "swapped_loader", "code": code[how], "python_version": "3.11.7", "env": {}}
    uri, _ = stored(shelf, described(tmp_path / "made", flavor, mlflow_version="3.17.2"))

    with pytest.raises(Denied, match="runs files that are not among those approved") as refused:
        load_model(uri, target="alias:champion", keys=[key], folder=tmp_path / "models")
    told = gate(shelf.url, "serve", uri, "--target", "alias:champion", "--key", key)

    assert "swapped_loader" not in sys.modules
    assert "MLmodel, flavors.python_function.code" in refused.value.reasons[0]
    assert (told.code, told.out) == (1, "")
    assert "Log the model again with all its files in its own folder" in told.err
    assert list((tmp_path / "models").iterdir()) == []
