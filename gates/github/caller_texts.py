"""The texts of caller workflows, with places to be filled: ``<POLICY>`` and the like. Written by ``gates init``."""

from __future__ import annotations

RIGHTS = """\
    permissions:
      actions: read # to read the approvals back
      contents: write # to write into the ledger's branch
      deployments: read # when they were given
      pull-requests: write # asked for by the workflow that judges; there is no pull request here
      statuses: write # for the verdict on the commit
"""  # of a job that has a candidate judged and promoted

ASKED = "\n      prometheus-url: ${{ vars.PROMETHEUS_URL }}"
ASKED_WITH = "\n    secrets:\n      prometheus-token: ${{ secrets.PROMETHEUS_TOKEN }}"

JUDGE = """\
# Judges the model on every pull request and keeps one comment there. Written by `gates init`.
name: <NAME>
on: {pull_request: , merge_group: }
permissions: {}

jobs:
  gates:
    name: <NAME>
    permissions:
      actions: read # who approved what was accepted
      contents: read # to check the repository out
      deployments: read # when something was approved
      pull-requests: write # to comment
      statuses: write # for the verdict on the commit
    <USES>
    with:
      policy: gates.yaml<WORKING>
      <REQUIREMENTS><PYTHON>
      tracking-uri: ${{ vars.MLFLOW_TRACKING_URI }} # an MLflow; else a branch of this repository<PROMETHEUS><TOKEN>
"""

PROMOTE = """\
# Judges again what has landed, waits for the approvals, and promotes. Written by `gates init`.
name: <NAME>
on:
  push: {branches: [<BRANCH>]}
  workflow_dispatch:
permissions: {}

jobs:
  promote:
<RIGHTS>    <USES>
    with:
      policy: <POLICY>
      folder: <FOLDER>
      approvals: <ROLES> # environments that ask for approval, one per role of the policy
      environment: <PRODUCTION> # holds the registry's credential
      <REQUIREMENTS><PYTHON>
      tracking-uri: ${{ vars.MLFLOW_TRACKING_URI }}<PROMETHEUS>
    secrets: inherit # zizmor: ignore[secrets-inherit] an environment's secret reaches a called workflow in no other way
"""

REPORT = """\
# Speaks for pull requests of forks and of Dependabot, whose own runs may not write. Written by `gates init`.
name: <NAME>
on: # zizmor: ignore[dangerous-triggers] what is called checks out and runs nothing of the fork, and judges again
  workflow_run: {workflows: [<JUDGING>], types: [completed]}
permissions: {}

jobs:
  report:
    if: ${{ github.event.workflow_run.event == 'pull_request' }}
    permissions:
      actions: read # to fetch what the run before has measured
      contents: read # to check the base branch out
      deployments: read # when something was approved
      pull-requests: write # to comment
      statuses: write # for the verdict on the commit
    <USES>
    with:
      policy: gates.yaml<WORKING>
"""

ROLLBACK = """\
# Lets the registry's alias name an earlier model again. Written by `gates init`.
name: <NAME>
on:
  workflow_dispatch:
    inputs:
      reason: {description: Why. It is recorded, required: true, type: string}
      to: {description: "The promotion to go back to, by number or digest; empty: the one before", type: string}
permissions: {}

jobs:
  rollback:
    permissions:
      contents: write # to write into the ledger's branch
    <USES>
    with:
      policy: <POLICY>
      reason: ${{ inputs.reason }}
      to: ${{ inputs.to }}
      environment: <PRODUCTION> # holds the registry's credential
      tracking-uri: ${{ vars.MLFLOW_TRACKING_URI }}
    secrets: inherit # zizmor: ignore[secrets-inherit] an environment's secret reaches a called workflow in no other way
"""

WAIVE = """\
# Somebody accepts, by name and for a time, what a pull request's model fails at. Written by `gates init`.
name: <NAME>
on:
  workflow_dispatch:
    inputs:
      pull-request: {description: The pull request's number, required: true, type: string}
      commit: {description: "Its newest commit, all 40 digits", required: true, type: string}
      gate: {description: "The rule, as the comment names it: recall:max_worsening", required: true, type: string}
      reason: {description: Why. It is recorded, required: true, type: string}
      until: {description: "The last day on which it holds: YYYY-MM-DD", required: true, type: string}
permissions: {}

jobs:
  waive:
    permissions:
      actions: read # to fetch what the commit was judged by, and who approved
      contents: write # to write into the ledger's branch
      deployments: read # when that was
      pull-requests: read # to see that the commit is the newest one
    <USES>
    with:
      policy: <POLICY>
      pull-request: ${{ inputs.pull-request }}
      commit: ${{ inputs.commit }}
      gate: ${{ inputs.gate }}
      reason: ${{ inputs.reason }}
      until: ${{ inputs.until }}
      environment: <WAIVING> # asks a second person
"""

MONITOR = """\
# Judges what the model has answered, records it, and keeps an issue about alarms. Written by `gates init`.
name: <NAME>
on: {schedule: [{cron: <CRON>}], <DISPATCH>workflow_dispatch: } # UTC; what GitHub drops, the next run judges, too
permissions: {}

jobs:
  monitor:
    permissions:
      contents: write # to write into the ledger's branch
      issues: write # to keep the issue
    <USES>
    with:
      policy: <POLICY>
      environment: gates-monitor # of the job that writes into the ledger<PROMETHEUS>
      # fetch: a command that fetches live rows and labels that are not in git<TOKEN>
"""

EXPERIMENT = """\
# Looks at the experiment that runs, every day; by hand one is started or stopped. Written by `gates init`.
name: <NAME>
on:
  schedule: [{cron: 47 6 * * *}] # UTC
  workflow_dispatch:
    inputs:
      action: {description: What to do, required: true, type: choice, options: [look, start, stop]}
      reason: {description: "Why, for a start or a stop. It is recorded", type: string}
permissions: {}

jobs:
  experiment:
    permissions:
      contents: write # to write into the ledger's branch
    <USES>
    with:
      action: ${{ inputs.action || 'look' }}
      reason: ${{ inputs.reason }}
      policy: <POLICY>
      environment: gates-experiment # of the job that starts or stops one
      look-environment: gates-monitor # of the job that writes looks into the ledger<PROMETHEUS>
      # fetch: a command that fetches exposures and outcomes that are not in git<TOKEN>
"""

RETRAIN = """\

  retrain: # what a dispatch brings is the digest of a record, and nothing else
    needs: monitor
    if: ${{ needs.monitor.outputs.retrain == 'true' || github.event_name == 'repository_dispatch' }}
<RIGHTS>    <RETRAIN>
    with:
      policy: <POLICY>
      folder: <FOLDER>
      record: >-
        ${{ needs.monitor.outputs.retrain == 'true' && needs.monitor.outputs.record
        || github.event.client_payload.record }}
      approvals: <ROLES> # environments that ask for approval, one per role of the stage
      environment: <PRODUCTION> # holds the registry's credential
      <REQUIREMENTS><PYTHON>
      tracking-uri: ${{ vars.MLFLOW_TRACKING_URI }}<PROMETHEUS>
      # fetch: a command that fetches what the policy's retrain.snapshot is made of
    secrets: inherit # zizmor: ignore[secrets-inherit] an environment's secret reaches a called workflow in no other way
"""
