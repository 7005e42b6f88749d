// Reads workflows and actions with GitHub's own parser and prints its complaints, a line each.
//   node github_parser.mjs FILE...
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { basename } from "node:path";

// The parser imports its JSON files without saying that they are JSON, which Node refuses by itself.
registerHooks({
  load: (url, context, next) =>
    url.endsWith(".json")
      ? { format: "json", source: readFileSync(new URL(url)), shortCircuit: true }
      : next(url, context),
});

const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import("@actions/workflow-parser");
const { convertActionTemplate } = await import("@actions/workflow-parser/actions/action-template");
const { parseAction } = await import("@actions/workflow-parser/actions/action-parser");

for (const name of process.argv.slice(2)) {
  const isAction = basename(name) === "action.yml";
  const parse = isAction ? parseAction : parseWorkflow;
  const convert = isAction ? convertActionTemplate : convertWorkflowTemplate;
  const { context, value } = parse({ name, content: readFileSync(name, "utf8") }, new NoOperationTraceWriter());
  if (value) await convert(context, value);
  for (const error of context.errors.getErrors()) console.log(error.message);
}
