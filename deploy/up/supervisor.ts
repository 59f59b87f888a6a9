/**
 * Runs the parts as child processes: starts them, restarts what dies, passes their metrics and log lines
 * to the web part, and stops them in order.
 */
import type { Host } from '../../broker/host/host.ts';
import type { Log } from '../../broker/host/log.ts';
import { type PartName, STARTS_AFTER, STOP_ORDER } from '../parts/names.ts';
import type { PartPlan } from '../parts/plan.ts';
import type { PartStatus } from '../parts/start.ts';
import type { FromPart, PartLogLine, PartMetrics } from '../process/messages.ts';
import type { TelemetryConfig } from '../telemetry/config.ts';
import { type Child, startChild } from './child.ts';
import { readLogLine } from './log-lines.ts';
import { initialState, type PartEvent, type PartState, step } from './part-state.ts';

/** Log lines kept for the web part while it is away; beyond this the oldest are dropped and counted. */
const HELD_LINES_MAX = 1_000;

export interface SupervisorOptions {
  readonly plans: readonly PartPlan[];
  readonly telemetry: TelemetryConfig | undefined;
  /** Environment and node arguments that a part's process needs. */
  readonly environment: (name: PartName) => Readonly<Record<string, string>>;
  readonly nodeArguments: (name: PartName) => readonly string[];
  /** Every line that a part wrote. */
  readonly onLine: (line: PartLogLine) => void;
  /** A part that can never start: the whole stops. */
  readonly onGiveUp: (name: PartName, message: string) => void;
}

interface Supervised {
  readonly plan: PartPlan;
  state: PartState;
  child: Child | undefined;
  restarts: number;
  sinceMs: number;
  addresses: PartStatus['addresses'];
  failure: string | undefined;
}

export interface Supervisor {
  /** Resolves when every part has been ready once; rejects when one gave up. */
  readonly ready: Promise<void>;
  statuses(): PartStatus[];
  stop(deadlineMs: number): Promise<void>;
}

export function startSupervisor(options: SupervisorOptions, host: Host): Supervisor {
  const log: Log = host.log;
  const parts = new Map<PartName, Supervised>();
  const held: PartLogLine[] = [];
  const restarted = host.metrics.counter(
    'millrace_up_restarts_total',
    'Parts started again after they ended.',
  );
  const droppedLines = host.metrics.counter(
    'millrace_up_dropped_lines_total',
    'Own log lines dropped because the web part, which exports them, was away too long.',
  );
  const waiting = new Set(options.plans.map((plan) => plan.name));
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined); // told through onGiveUp as well
  const waitersForExit: Array<() => void> = [];
  let stopping = false;

  for (const plan of options.plans) {
    parts.set(plan.name, {
      plan,
      state: initialState,
      child: undefined,
      restarts: 0,
      sinceMs: host.clock.nowMs(),
      addresses: {},
      failure: undefined,
    });
  }
  const unspawned = new Set(parts.values());
  spawnWhatMay();
  const reportOwn = host.timers.every(1_000, () => {
    toWeb({ part: 'up', startedMs: performance.timeOrigin, families: host.metrics.snapshot() });
  });

  function apply(part: Supervised, event: PartEvent): void {
    const before = part.state;
    const { state, effects } = step(before, event, host.clock.monotonicMs());
    part.state = state;
    if (state.name !== before.name) part.sinceMs = host.clock.nowMs();
    for (const effect of effects) {
      switch (effect.name) {
        case 'spawn':
          part.restarts += 1;
          restarted.add(1, { part: part.plan.name });
          spawn(part);
          break;
        case 'retry-after':
          host.timers.after(effect.delayMs, () => apply(part, { name: 'retry' }));
          break;
        case 'give-up':
          ready.reject(new Error(effect.message));
          options.onGiveUp(part.plan.name, effect.message);
          break;
        case 'ask-to-stop':
          break; // the stop order sends it
      }
    }
    tellStatuses();
  }

  /** First starts: those whose predecessors have been ready once, or are not ours to run. */
  function spawnWhatMay(): void {
    if (stopping) return;
    for (const part of unspawned) {
      if (STARTS_AFTER[part.plan.name].some((name) => waiting.has(name))) continue;
      unspawned.delete(part);
      spawn(part);
    }
  }

  function spawn(part: Supervised): void {
    const { name } = part.plan;
    part.failure = undefined;
    part.child = startChild(name, options.environment(name), options.nodeArguments(name), {
      message: (message) => hear(part, message),
      line: (text, stream) => line(readLogLine(name, text, stream, host.clock.nowMs())),
      exit(how) {
        part.child = undefined;
        if (part.state.name !== 'stopping' && part.state.name !== 'stopped' && !part.failure) {
          log.warn({ part: name, how }, `${name} ended; it is started again`);
        }
        apply(part, { name: 'exit' });
        for (const wake of waitersForExit.splice(0)) wake();
      },
    });
  }

  function hear(part: Supervised, message: FromPart): void {
    const { name, config } = part.plan;
    switch (message.type) {
      case 'hello':
        part.child?.send({
          type: 'start',
          part: name,
          config,
          ...(name === 'web' && options.telemetry ? { telemetry: options.telemetry } : {}),
        });
        break;
      case 'ready':
        part.addresses = message.addresses;
        apply(part, { name: 'ready' });
        waiting.delete(name);
        spawnWhatMay();
        if (waiting.size === 0) ready.resolve();
        if (name === 'web') releaseHeldLines();
        break;
      case 'failed':
        part.failure = message.message;
        apply(part, { name: 'failed', message: message.message });
        break;
      case 'metrics':
        toWeb({ part: name, startedMs: message.startedMs, families: message.families });
        break;
    }
  }

  function toWeb(metrics: PartMetrics): void {
    parts.get('web')?.child?.send({ type: 'metrics', metrics });
  }

  function tellStatuses(): void {
    parts.get('web')?.child?.send({ type: 'parts', parts: statuses() });
  }

  function line(one: PartLogLine): void {
    options.onLine(one);
    held.push(one);
    if (held.length > HELD_LINES_MAX) {
      held.shift();
      droppedLines.add(1);
    }
    if (parts.get('web')?.state.name === 'ready') releaseHeldLines();
  }

  function releaseHeldLines(): void {
    if (held.length === 0 || !options.telemetry) return;
    parts.get('web')?.child?.send({ type: 'logs', lines: held.splice(0) });
  }

  function statuses(): PartStatus[] {
    return [...parts.values()].map(({ plan, state, child, restarts, sinceMs, addresses }) => ({
      name: plan.name,
      state: state.name,
      pid: child?.pid,
      restarts,
      sinceMs,
      addresses,
    }));
  }

  async function stop(deadlineMs: number): Promise<void> {
    const deadline = host.clock.monotonicMs() + deadlineMs;
    stopping = true;
    for (const part of parts.values()) {
      part.child?.send({ type: 'stopping' });
      apply(part, { name: 'stop' });
    }
    for (const [index, group] of STOP_ORDER.entries()) {
      // Each step may use an equal share of what is left, so that the log itself always gets its turn.
      const left = Math.max(0, deadline - host.clock.monotonicMs());
      const share = left / (STOP_ORDER.length - index);
      const members = group.flatMap((name) => parts.get(name) ?? []).filter((part) => part.child);
      for (const part of members) part.child?.send({ type: 'stop', deadlineMs: share });
      await exited(members, share + 500);
      for (const part of members) {
        if (!part.child) continue;
        log.warn({ part: part.plan.name }, `${part.plan.name} did not stop in time and is killed`);
        part.child.kill('SIGKILL');
      }
      await exited(members, 1_000);
    }
    reportOwn();
  }

  async function exited(members: readonly Supervised[], withinMs: number): Promise<void> {
    const deadline = host.clock.monotonicMs() + withinMs;
    while (members.some((part) => part.child) && host.clock.monotonicMs() < deadline) {
      await Promise.race([
        new Promise<void>((resolve) => void waitersForExit.push(resolve)),
        host.timers.sleep(Math.max(1, deadline - host.clock.monotonicMs())),
      ]);
    }
  }

  return { ready: ready.promise, statuses, stop };
}
