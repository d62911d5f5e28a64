// A peer of W3c: graphile-worker as its documentation sets it up for speed (local queue, completion in batches), with
// jobs that do nothing. Run as a process: `node graphile_jobs.mjs queue COUNT`, then `node graphile_jobs.mjs work COUNT`,
// which waits for a line, works until so many jobs are done and completed, prints "done", waits. The database comes from
// PGHOST, PGDATABASE and their like.
import { createInterface } from "node:readline";
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const [mode, count] = [process.argv[2], Number(process.argv[3])];
const logger = new Logger(() => () => {});
const worker = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0, concurrentJobs: 24, logger };

async function queue() {
  const utils = await makeWorkerUtils({ logger });
  await utils.migrate();
  const jobs = "SELECT count(*) FROM (SELECT graphile_worker.add_job('step', json_build_object('run', g))";
  await utils.withPgClient((link) => link.query(`${jobs} FROM generate_series(1, $1::int) g OFFSET 0) added`, [count]));
  await utils.release();
}

async function work() {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log("ready");
  await lines.next();
  let left = count;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const step = () => {
    if (--left === 0) finish();
  };
  const runner = await run({ preset: { worker }, taskList: { step }, noHandleSignals: true });
  await finished;
  await runner.stop(); // completes what is still in a batch
  console.log("done");
  await lines.next();
  process.exit(0);
}

await (mode === "queue" ? queue() : work());
