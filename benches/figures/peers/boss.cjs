"use strict";
// pg-boss with jobs that do nothing. Its own polling workers rest between two batches, so that they
// are driven here as its documentation does for a loop of one's own: fetch, then complete.
//   node boss.cjs fill URL JOBS
//   node boss.cjs work URL WORKERS BATCH
const PgBoss = require("pg-boss");
const { Pool } = require("pg");
const { go } = require("./signal.cjs");

const [, , what, connectionString, first, second] = process.argv;

async function started(max) {
  const boss = new PgBoss({ connectionString, max, supervise: false, schedule: false });
  boss.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  await boss.start();
  return boss;
}

async function fill(jobs) {
  const boss = await started(2);
  await boss.createQueue("empty");
  for (let from = 0; from < jobs; from += 5000) {
    const length = Math.min(5000, jobs - from);
    await boss.insert(Array.from({ length }, () => ({ name: "empty" })));
  }
  const pool = new Pool({ connectionString, max: 1 });
  await pool.query("VACUUM ANALYZE pgboss.job");
  await pool.end();
  await boss.stop();
}

async function work(workers, batchSize) {
  const boss = await started(workers);
  await go();
  const loop = async () => {
    for (;;) {
      const jobs = await boss.fetch("empty", { batchSize });
      if (jobs.length === 0) return;
      await boss.complete("empty", jobs.map((job) => job.id));
    }
  };
  await Promise.all(Array.from({ length: workers }, loop));
  console.log("done");
  await boss.stop({ wait: true });
  process.exit(0);
}

const asked = what === "fill" ? fill(Number(first)) : work(Number(first), Number(second));
asked.catch((error) => {
  console.error(error);
  process.exit(1);
});
