// Evaluates expressions with GitHub's own implementation: JSON on standard input, a list of
//   {"expression": "...", "contexts": {"needs": {...}}, "status": {"success": true, "failure": false, ...}}
// and the values as JSON on standard output.
import { readFileSync } from "node:fs";
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";

const STATUS = ["success", "failure", "cancelled", "always"];
const signatures = STATUS.map((name) => ({ name, minArgs: 0, maxArgs: 0 }));

function evaluate({ expression, contexts, status }) {
  const parsed = new Parser(new Lexer(expression).lex().tokens, Object.keys(contexts), signatures).parse();
  const functions = new Map(
    signatures.map((one) => [one.name, { ...one, call: () => new data.BooleanData(status[one.name]) }]),
  );
  const known = JSON.parse(JSON.stringify(contexts), data.reviver);
  return JSON.parse(JSON.stringify(new Evaluator(parsed, known, functions).evaluate(), data.replacer));
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(evaluate)));
