/** By hand: `node test/crash/histories/main.ts [seconds] [seed] [client,...]`. */
import { checkHistory, countAnomalies, figuresOf } from './check-history.ts';
import { runHistory } from './run-history.ts';

const [seconds, seed, clients] = process.argv.slice(2);
const chosen = Number(seed ?? Math.floor(Math.random() * 1e9));
console.log(`seed ${chosen}`);
const run = await runHistory({
  seed: chosen,
  seconds: Number(seconds ?? 20),
  ...(clients !== undefined && { clients: clients.split(',') }),
});
const findings = checkHistory(run);
console.log({ kills: run.kills, ...figuresOf(run), skipped: run.skipped });
console.log({
  legal: countAnomalies(findings.filter(({ legal }) => legal)),
  illegal: countAnomalies(findings.filter(({ legal }) => !legal)),
});
for (const one of findings.filter(({ legal }) => !legal).slice(0, 20)) console.log(one.anomaly, one.says);
