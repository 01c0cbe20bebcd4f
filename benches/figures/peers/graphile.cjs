"use strict";
// graphile-worker with jobs that do nothing.
//   node graphile.cjs fill URL JOBS
//   node graphile.cjs work URL WORKERS BATCH     BATCH 1 is how it works by default; more is a local
//                                                queue of so many jobs, completed in batches
const { Logger, makeWorkerUtils, run } = require("graphile-worker");
const { Pool } = require("pg");
const { go, sleep } = require("./signal.cjs");

const logger = new Logger(() => () => {});
// Whoever is asked next is told that the connection is lost.
const poolOf = (max) => new Pool({ connectionString, max }).on("error", () => {});
const [, , what, connectionString, first, second] = process.argv;

async function fill(jobs) {
  const pool = poolOf(4);
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();
  for (let from = 0; from < jobs; from += 5000) {
    const length = Math.min(5000, jobs - from);
    await utils.addJobs(Array.from({ length }, () => ({ identifier: "empty", payload: {} })));
  }
  await pool.query("VACUUM ANALYZE graphile_worker._private_jobs");
  await utils.release();
  await pool.end();
}

async function work(workers, batch) {
  const pool = poolOf(workers + 3);
  const watch = poolOf(1);
  await Promise.all([pool.query("SELECT 1"), watch.query("SELECT 1")]);
  await go();
  const inBatches = { localQueue: { size: batch }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  const runner = await run({
    pgPool: pool,
    logger,
    noHandleSignals: true,
    taskList: { empty: async () => {} },
    preset: { worker: { concurrentJobs: workers, ...(batch > 1 ? inBatches : {}) } },
  });
  // A job that is done is deleted.
  const left = "SELECT 1 FROM graphile_worker._private_jobs LIMIT 1";
  while ((await watch.query(left)).rowCount > 0) await sleep(2);
  console.log("done");
  await runner.stop();
  await Promise.all([pool.end(), watch.end()]);
}

const asked = what === "fill" ? fill(Number(first)) : work(Number(first), Number(second));
asked.catch((error) => {
  console.error(error);
  process.exit(1);
});
