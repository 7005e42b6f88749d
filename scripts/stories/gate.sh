# A candidate is held against the champion. scripts/demo reads this file, and has what it calls.
repository telco-churn
export MLFLOW_TRACKING_URI=sqlite:///mlflow.db # an MLflow registry; without this line, a branch of the repository

say "A model repository: 7,043 customers of a telephone company, and a model that tells who is about to leave."
python prepare.py
commit "A first model: logistic regression on three columns"

say "1. The first model. There is no champion yet, so it is held against the policy's floors only."
run pass/0

say "2. It may ship: it is registered in MLflow, and the alias champion is moved to it."
gates promote

say "3. A better candidate: boosted trees on all columns, measured against the champion on the same customers."
cp candidates/better.json params.json
commit "Boosted trees on all columns"
run pass/0

say "4. A worse one: too many trees. Its ROC-AUC of 0.80 looks well enough; next to the champion it isn't."
cp candidates/worse.json params.json
commit "More trees"
run fail/1

say "As it should be: one passed, one was stopped. All of it took $SECONDS seconds."
cat << 'END'
The report on the last one:  demo/.gates/report.md
Try next:
  cd demo && export PATH="$PWD/../.venv/bin:$PATH" MLFLOW_TRACKING_URI=sqlite:///mlflow.db
  gates check --explain      the policy with every default written out
  $EDITOR params.json        another model, then: gates run
  $EDITOR gates.yaml         another policy, then: gates judge (nothing is trained or measured again)
END
