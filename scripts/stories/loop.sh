# A model that serves becomes worse, and is trained again. scripts/demo reads this file, and has what it calls.
# The days lie ahead, because a window counts only after the promotion: no step asks what day it is today.
start=2050-01-03
told=.gates/told.json

# ask EXPRESSION: what Python says of `told`, the JSON that the last command wrote; nothing where that is None.
ask() { python -c 'import json, sys; told = json.load(open(sys.argv[1])); print(eval(sys.argv[2]) or "")' "$told" "$1"; }

# watch UNTIL VERDICT/CODE: judge the days before that one.
watch() {
  local code=0
  gates monitor --until "$1" --json > "$told" || code=$?
  ask 'told["reason"]'
  expect "the verdict and exit code of gates monitor" "$2" "$(ask 'told["verdict"]')/$code"
}

# plan STATE/REASON/CODE: ask whether to train again.
plan() {
  local code=0
  gates retrain --plan --json > "$told" || code=$?
  ask 'told["reason"]'
  expect "of gates retrain --plan" "$1" \
    "$(ask 'told["retraining"]["state"]')/$(ask 'told["retraining"]["code"]')/$code"
}

# look UNTIL VERDICT/WORD/CODE: a look at the experiment, of what was known at that time.
look() {
  local code=0
  gates experiment --until "$1" --json > "$told" || code=$?
  ask 'told["reason"]'
  expect "the verdict, its code and the exit code of gates experiment" "$2" \
    "$(ask 'told["verdict"]')/$(ask 'told["code"]')/$code"
}

# deploy STAGE: the judged model's folder is what that stage serves.
deploy() {
  mkdir -p models && rm -rf "models/$1" && cp -R .gates/candidate/model "models/$1"
  gates verify --model "models/$1" --stage "$1"
}

repository recommender
say "A shop that recommends films: 100,004 real ratings of MovieLens. Films of 2001 and later are not in the shop yet."
python prepare.py
commit "Film means and 20 factors of taste"

say "1. The first model passes, and becomes challenger, then champion."
run pass/0
gates promote --stage challenger
gates promote --stage champion
deploy champion

say "2. It serves for three weeks: a visitor sees four films, and clicks on the first one or doesn't."
python replay.py --start $start --days 1 21

say "3. No alarm, so no retraining: whoever asks for one is refused."
watch 2050-01-24 inconclusive/0
plan refused/no_alarm/1

say "4. On day 22 the films of 2001 and later come into the shop. The model knows none of them."
python replay.py --start $start --days 22 28

say "5. The click-through rate has dropped, and that is an alarm."
watch 2050-01-31 fail/1
first=$(ask 'next(window["start"][:10] for window in told["windows"] if window["verdict"] == "fail")')
echo "The first alarm is of $first; the films came on 2050-01-24."
expect "the first alarm on" 2050-01-25 "$first"

say "6. It starts a retraining, and only one: who asks again is refused."
plan started//0
plan refused/in_flight/1

say "7. New tables: the last three days are the new holdout, all that was before is trained on."
gates snapshot
commit "Tables until day 28"

say "8. The candidate is measured against the champion on the new holdout, and passes."
run pass/0

say "9. It becomes challenger."
gates promote --stage challenger
deploy challenger

say "10. Does it serve better? An experiment says so: from day 29 on champion and challenger share the visits."
gates experiment start --from 2050-01-31 --json > "$told"
salt=$(ask 'told["salt"]')
python replay.py --start $start --days 29 31 --salt "$salt"

say "11. Three days are too few, however good they look: the challenger can't be promoted yet."
look 2050-02-03 inconclusive/too_early/0
code=0
gates promote --stage champion || code=$?
expect "the exit code of gates promote" 1 $code

say "12. The champion has not become better, but a further retraining has to wait."
watch 2050-02-03 fail/1
plan refused/cooldown/1

say "13. After ten days the planned end is reached, and the challenger is better for certain."
python replay.py --start $start --days 32 38 --salt "$salt"
look 2050-02-10 pass/within_bar/0
ask '"by week: " + "; ".join("{champion:.3f} and {challenger:.3f} of {units:,} visits".format(**week) for week in told["weeks"])'

say "14. So it becomes champion: the promotion checks the experiment's records again."
gates promote --stage champion

say "15. Ledger and registry say what serves, and every verdict follows again from its evidence."
gates status --json > "$told" || true # it ends with 1 after an alarm
expect "what serves to be" "challenger 2, champion 2" \
  "$(ask '", ".join(one["alias"] + " " + one["version"] for one in told["aliases"] if one["state"] == "as_promoted")')"
gates verify
gates site . --to site

say "As it should be: a drop, an alarm, a retraining, a challenger, an experiment, a new champion. All of it took $SECONDS seconds."
cat << 'END'
The report on the challenger:  demo/.gates/report.md
Window by window:              demo/site/index.html
Try next:
  cd demo && export PATH="$PWD/../.venv/bin:$PATH"
  gates history                    what was decided, and why
  gates status                     what serves, and until when live rows were judged
  gates retrain --plan --dry-run   whether a retraining would be started
  gates power --experiment         how many visits would have shown a smaller difference
END
