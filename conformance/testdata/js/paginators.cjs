// Every paginator that the SDK for JavaScript has for the session API, one item
// a page, over what a session has left behind.
const assert = require("node:assert");
const sdk = require("@aws-sdk/client-athena");

const client = new sdk.AthenaClient({});
const [session, group] = process.argv.slice(2);

async function all(paginate, input, list) {
  const items = [];
  let pages = 0;
  for await (const page of paginate({ client, pageSize: 1 }, input)) {
    pages++;
    assert.ok(page[list].length <= 1, `${list}: a page of ${page[list].length}`);
    items.push(...page[list]);
  }
  assert.ok(items.length > 0, `no ${list}`);
  assert.ok(pages >= items.length, `${items.length} ${list} in ${pages} pages`);
  return items;
}

(async () => {
  const calculations = await all(sdk.paginateListCalculationExecutions, { SessionId: session }, "Calculations");
  const submitted = calculations.map((c) => c.Status.SubmissionDateTime.getTime());
  assert.deepStrictEqual(submitted, submitted.toSorted((a, b) => b - a), "calculations are not newest first");
  assert.strictEqual(new Set(calculations.map((c) => c.CalculationExecutionId)).size, calculations.length);

  const sessions = await all(sdk.paginateListSessions, { WorkGroup: group }, "Sessions");
  assert.ok(sessions.some((s) => s.SessionId === session));
  const executors = await all(sdk.paginateListExecutors, { SessionId: session }, "ExecutorsSummary");
  assert.ok(Number.isInteger(executors[0].StartDateTime) && executors[0].StartDateTime > 1e12, "not milliseconds");
  assert.deepStrictEqual(
    (await all(sdk.paginateListApplicationDPUSizes, {}, "ApplicationDPUSizes"))[0].SupportedDPUSizes,
    [1],
  );
  const engines = await all(sdk.paginateListEngineVersions, {}, "EngineVersions");
  assert.ok(engines.some((e) => e.SelectedEngineVersion === "PySpark engine version 3"));
  const groups = await all(sdk.paginateListWorkGroups, {}, "WorkGroups");
  assert.ok(groups.some((g) => g.Name === group));

  const arn = `arn:aws:athena:us-east-1:123456789012:workgroup/${group}/session/${session}`;
  const Tags = Array.from({ length: 80 }, (_, i) => ({ Key: `k${String(i).padStart(2, "0")}`, Value: "v" }));
  await assert.rejects(client.send(new sdk.TagResourceCommand({ ResourceARN: arn, Tags })), sdk.InvalidRequestException);
  await client.send(new sdk.TagResourceCommand({ ResourceARN: arn, Tags: Tags.slice(0, 3) }));
  const pages = [];
  // A page of tags has 75 at least, so one page has them all.
  for await (const page of sdk.paginateListTagsForResource({ client }, { ResourceARN: arn })) pages.push(page);
  assert.deepStrictEqual(pages.flatMap((p) => p.Tags), Tags.slice(0, 3));
})();
