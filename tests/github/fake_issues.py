"""A GitHub that keeps issues and labels, too."""

from __future__ import annotations

from typing import Any

from fake_github import BOT, LONGEST, Answer, FakeGitHub, refusal

NOW = "2026-11-30T12:00:00Z"


class FakeIssues(FakeGitHub):
    """``now``: when what happens next happens. ``disabled``: the repository has no issues."""

    def __init__(self, repository: str = "acme/churn") -> None:
        super().__init__(repository)
        self.issues: list[dict[str, Any]] = []
        self.labels: dict[str, dict[str, Any]] = {}
        self.now = NOW
        self.disabled = False
        self.drops_labels = False  # as GitHub does for a token that may not push

    def write(self, title: str, body: str, login: str = BOT, labels: tuple[str, ...] = ()) -> dict[str, Any]:
        """Somebody opens an issue."""
        number = len(self.issues) + 1
        issue: dict[str, Any] = self._description.example("issue")
        base = f"https://api.github.com/repos/{self.repository}/issues/{number}"
        issue.update(
            number=number, id=5000 + number, title=title, body=body, state="open", closed_at=None, url=base,
            labels=[self._label(name) for name in labels], created_at=self.now,
        )  # fmt: skip
        issue.pop("pull_request", None)
        issue.pop("state_reason", None)
        issue["user"].update(login=login, type="Bot" if login.endswith("[bot]") else "User")
        self.issues.append(issue)
        self.heads[number] = ""  # its comments are kept as a pull request's are
        return issue

    def opened(self) -> list[int]:
        return [issue["number"] for issue in self.issues if issue["state"] == "open"]

    def shut(self, number: int, at: str) -> None:
        self.issues[number - 1].update(state="closed", closed_at=at)

    def _label(self, name: str) -> dict[str, Any]:
        label: dict[str, Any] = self._description.example("label")
        label.update(name=name)
        return label

    def _issues_list_for_repo(self, _: Any, query: dict[str, str], *__: Any) -> Answer:
        if self.disabled:
            return refusal(404, "Not Found")
        wanted = set(filter(None, query.get("labels", "").split(",")))
        state = query.get("state", "open")
        found = [
            issue
            for issue in reversed(self.issues)
            if wanted <= {label["name"] for label in issue["labels"]} and state in ("all", issue["state"])
        ]
        return self._page("issues", found, query)

    def _issues_create(self, _: Any, __: Any, body: Any, login: str) -> Answer:
        if self.disabled:
            return refusal(410, "Issues has been disabled in this repository.")
        if not body["title"] or len(body.get("body", "")) > LONGEST:
            return refusal(422, "Validation Failed")
        labels = () if self.drops_labels else tuple(body.get("labels", ()))
        return Answer(201, self.write(body["title"], body["body"], login, labels))

    def _issues_update(self, names: dict[str, int], _: Any, body: Any, __: str) -> Answer:
        issue = next((one for one in self.issues if one["number"] == names["issue_number"]), None)
        if issue is None:
            return refusal(404, "Not Found")
        if len(body.get("body", "")) > LONGEST:
            return refusal(422, "Validation Failed")
        if body.get("state", issue["state"]) != issue["state"]:
            issue["closed_at"] = self.now if body["state"] == "closed" else None
        issue.update(body)
        return Answer(200, issue)

    def _issues_get_label(self, names: dict[str, Any], *_: Any) -> Answer:
        label = self.labels.get(names["name"])
        return Answer(200, label) if label else refusal(404, "Not Found")

    def _issues_create_label(self, _: Any, __: Any, body: Any, ___: str) -> Answer:
        if body["name"] in self.labels:
            return refusal(422, "Validation Failed")
        self.labels[body["name"]] = self._label(body["name"]) | body
        return Answer(201, self.labels[body["name"]])
