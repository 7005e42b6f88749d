"""The base's policy is found by the alias that it moves, wherever and however it is written."""

from __future__ import annotations

import json
import shutil

import pytest
from edge_project import Project, call, git

from gates.checkout import base_policy

STRICT = [{"metric": "roc_auc", "min": 0.99}]
WEAK = [{"metric": "roc_auc", "min": 0.6}]
SAME = "models:/churn@champion"  # the alias of the model churn where the policy does not say another one


class Repository:
    """A repository whose base branch is `main`; a policy's predictions lie in `made/` of its folder."""

    def __init__(self, top):
        self.top = top
        top.mkdir()
        git(top, "init", "--quiet", "--initial-branch=main")
        self.project("").ready(gates=STRICT)
        (top / "gates.yaml").unlink()

    def project(self, folder):
        return Project(self.top / folder)

    def policy(self, path="gates.yaml", **keys):
        """The policy as YAML in block style, with its tables beside it."""
        project = self.project(path.rpartition("/")[0])
        if project.root != self.top:
            for name in ("holdout.csv", "made"):
                source, target = self.top / name, project.root / name
                shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copy(source, target)
        usual, target = project.root / "gates.yaml", self.top / path
        before = usual.read_bytes() if usual.exists() and usual != target else None
        project.policy(**{"gates": STRICT, **keys})
        if usual != target:
            usual.rename(target)
        if before:
            usual.write_bytes(before)
        return json.loads((self.top / path).read_text())

    def write(self, path, text):
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_bytes(text if isinstance(text, bytes) else text.encode())

    def remove(self, path):
        (self.top / path).unlink()

    def commit(self):
        git(self.top, "add", "--all")
        git(self.top, "commit", "--quiet", "--allow-empty", "--message=change")

    def branch(self):
        self.commit()
        git(self.top, "switch", "--quiet", "--create", "change")

    def run(self, path="gates.yaml"):
        self.commit()
        done = call("run", "--policy", str(self.top / path), "--base", "main")
        return done.code, " ".join(done.out.split()), done.err


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def moved(repository):
    repository.policy()
    repository.branch()
    repository.remove("gates.yaml")
    repository.policy("m/gates.yaml", gates=WEAK)
    return "m/gates.yaml"


def moved_and_renamed(repository):
    repository.policy()
    repository.branch()
    repository.remove("gates.yaml")
    repository.policy("m/gates.yaml", model="churn-v2", champion=SAME, gates=WEAK)
    return "m/gates.yaml"


def renamed_in_place(repository):
    repository.policy()
    repository.branch()
    repository.policy(model="churn-v2", champion=SAME, gates=WEAK)
    return "gates.yaml"


def second_beside(repository):
    repository.policy()
    repository.branch()
    repository.policy("b.yaml", model="b", champion=SAME, gates=WEAK)
    return "b.yaml"


def second_beside_by_its_stage(repository):
    repository.policy(promotion={"stages": [{"alias": "staging"}, {"alias": "champion"}]})
    repository.branch()
    repository.policy("b.yaml", model="churn", champion="models:/churn@staging", gates=WEAK)
    return "b.yaml"


def renamed_from_another_name(repository):
    """The base said `champion:`, and the model by that name says nothing."""
    repository.policy(model="old", champion=SAME)
    repository.branch()
    repository.remove("gates.yaml")
    repository.policy("m/gates.yaml", model="churn", gates=WEAK)
    return "m/gates.yaml"


def swapped(repository):
    repository.policy("a/gates.yaml", model="a", gates=WEAK)
    repository.policy("b/gates.yaml", model="b", gates=STRICT)
    repository.branch()
    repository.policy("a/gates.yaml", model="b", gates=WEAK)
    repository.policy("b/gates.yaml", model="a", gates=WEAK)
    return "a/gates.yaml"


def written_as(text_of, name="gates.yaml"):
    """The base's policy in another form, or under another name."""

    def case(repository):
        value = repository.policy()
        repository.remove("gates.yaml")
        repository.write(name, text_of(value))
        repository.branch()
        repository.remove(name)
        repository.policy("m/gates.yaml", model="churn-v2", champion=SAME, gates=WEAK)
        return "m/gates.yaml"

    return case


def two_that_move_it(repository):
    """The laxer one stands at the same path."""
    repository.policy(gates=WEAK)
    repository.policy("z.yaml", gates=STRICT)
    repository.branch()
    repository.policy(gates=WEAK, min_rows=0)
    return "gates.yaml"


def ignored_by_attributes(repository):
    repository.write(".gitattributes", "*.yaml binary\n")
    return moved_and_renamed(repository)


EVASIONS = {
    "moved": moved,
    "moved and renamed": moved_and_renamed,
    "renamed in place": renamed_in_place,
    "second beside": second_beside,
    "second beside, for a stage": second_beside_by_its_stage,
    "renamed from another name": renamed_from_another_name,
    "swapped": swapped,
    "JSON": written_as(json.dumps),
    "JSON in lines": written_as(lambda value: json.dumps(value, indent=1)),
    "escaped keys": written_as(
        lambda value: json.dumps(value).replace('"model"', '"mod\\u0065l"').replace("churn", "chur\\u006e")
    ),
    "no extension": written_as(json.dumps, "policy"),
    "another extension": written_as(json.dumps, "gates.txt"),
    "hidden": written_as(json.dumps, ".config/.gates"),
    "no text for a name": written_as(json.dumps, "pol\nicy \u00fc.yaml"),
    "byte order mark": written_as(lambda value: "\ufeff" + json.dumps(value)),
    "two that move it": two_that_move_it,
    "ignored by attributes": ignored_by_attributes,
}


@pytest.mark.parametrize("evasion", EVASIONS.values(), ids=EVASIONS)
def test_whoever_moves_the_alias_is_held_to_what_was_asked_for_it(repository, evasion):
    path = evasion(repository)
    code, out, _ = repository.run(path)
    assert code == 1
    assert "0.99" in json.loads(((repository.top / path).parent / ".gates/decision.json").read_text())["reason"]
    assert "weaker than before:" in out
    assert "roc_auc.min: 0.99 -> 0.6 (weaker)" in out


UNREADABLE = {
    "no YAML": "version: 1\nmodel: churn\ngates: [\n",
    "no YAML, in one line": "{version: 1, model: churn, gates: [}",
    "a key that this version does not know": "version: 9\nmodel: churn\ndata: x\ntrain: x\ngates: []\nnew: 1\n",
    "a champion of no known form": "version: 1\nmodel: x\nchampion: models:churn\ndata: x\ntrain: x\ngates: []\n",
    "Latin-1": "# f\xfcr\nversion: 1\nmodel: churn\ngates: []\n".encode("latin-1"),
    "UTF-16": "version: 1\nmodel: churn\ngates: []\n".encode("utf-16"),
    "anchors": "version: &a 1\nmodel: churn\ndata: x\ntrain: x\ngates: []\n",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_might_have_been_the_policy_but_can_not_be_read_counts_as_weaker(repository, text):
    repository.write("old.yaml", text)
    repository.branch()
    repository.policy("m/gates.yaml", gates=WEAK)
    code, out, _ = repository.run("m/gates.yaml")
    assert code == 0  # by the policy at hand; `gates comment` blocks what gets weaker unless somebody approves
    assert "weaker than before: policy: old.yaml can't be read" in out


def test_files_that_were_not_looked_through_count_as_weaker(repository, monkeypatch):
    for number in range(12):
        repository.write(f"a{number}.yaml", "a: 1\n")
    repository.policy("z.yaml")
    repository.branch()
    repository.policy("m/gates.yaml", gates=WEAK)
    assert repository.run("m/gates.yaml")[0] == 1  # negative control: all are looked through
    monkeypatch.setattr(base_policy, "MOST", 10)
    code, out, _ = repository.run("m/gates.yaml")
    assert code == 0
    assert "only 10 of" in out


def test_more_yaml_files_than_a_hundred(repository):
    for number in range(300):
        repository.write(f"a/{number}.yaml", "model: churn\ngates: 1\n")
    repository.policy("z.yaml")
    repository.branch()
    repository.policy("m/gates.yaml", model="churn-v2", champion=SAME, gates=WEAK)
    assert repository.run("m/gates.yaml")[0] == 1


def test_a_second_policy_is_told_where_the_first_is_judged(repository):
    """A workflow may look at the first one alone."""
    repository.policy()
    repository.branch()
    repository.policy("b.yaml", model="b", champion=SAME, gates=WEAK)
    assert "weaker than before: b.yaml: roc_auc.min: 0.99 -> 0.6 (weaker)" in repository.run()[1]


def test_the_second_policys_contract_may_not_get_weaker_unseen(repository):
    repository.policy()
    repository.write("contract.yaml", "table: [{rows: {min: 10}}]")
    repository.policy("b.yaml", data={"contract": "contract.yaml"})
    repository.branch()
    repository.write("contract.yaml", "table: [{rows: {min: 1}}]")
    assert "b.yaml: contract.rows" in repository.run()[1]


NEW = {
    "nothing before": Repository.commit,
    "another model": lambda repository: repository.policy("a.yaml", model="a"),
    "another model whose champion is its own": lambda repository: repository.policy(
        "a.yaml", model="a", champion="models:/a@champion"
    ),
    "another alias of the same model": lambda repository: repository.policy(
        "a.yaml", model="churn", champion="models:/churn@challenger"
    ),
    "the model by name, another's alias": lambda repository: repository.policy(
        "a.yaml", model="churn", champion="models:/a@champion"
    ),
    "a broken policy of another model": lambda repository: repository.write(
        "a.yaml", "version: 1\nmodel: a\ndata: x\ntrain: x\ngates: [\n"
    ),
    "a page that shows one": lambda repository: repository.write(
        "README.md", "# churn\n```yaml\nversion: 1\nmodel: churn\ngates: []\n```\n"
    ),
    "a workflow and code that name it": lambda repository: [
        repository.write(".github/workflows/model.yml", "jobs: {churn: {with: {model: churn, gates: version}}}"),
        repository.write("train.py", "model = 'churn'  # the data, version and train of gates\n"),
    ],
}


@pytest.mark.parametrize("before", NEW.values(), ids=NEW)
def test_a_model_that_is_new_is_held_to_nothing(repository, before):
    """Negative control."""
    before(repository)
    repository.branch()
    repository.policy("m/gates.yaml", gates=WEAK)
    code, out, err = repository.run("m/gates.yaml")
    assert (code, "weaker" in out) == (0, False), err


def test_an_unchanged_neighbour_is_no_matter(repository):
    """Negative control: two models, each with its policy; one of them changes."""
    repository.policy("a.yaml", model="a", gates=WEAK)
    repository.policy("b.yaml", model="b", gates=WEAK)
    repository.branch()
    repository.policy("b.yaml", model="b", gates=STRICT)
    assert repository.run("a.yaml")[0] == 0
    code, out, _ = repository.run("b.yaml")
    assert (code, "weaker" in out) == (1, False)  # by its own limit
