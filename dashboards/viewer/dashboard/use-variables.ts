/** Template variables: options from the server, values from the URL, then the file, then the first option. */
import { useMemo } from 'preact/hooks';
import type { Variable, VariableOption } from '../model/dashboard.ts';
import { chosenValue, initialOptions } from '../model/variables.ts';
import { getJson, useLoaded } from '../shell/api.ts';
import type { Location } from '../shell/location.ts';
import type { PageTime } from '../shell/time.tsx';
import type { VariableValues } from './context.ts';

export interface ActiveVariable {
  variable: Variable;
  options: VariableOption[];
  value: string | string[];
  error?: string;
}

export interface Variables {
  list: ActiveVariable[];
  values: VariableValues;
  /** Changes with any value. */
  key: string;
  ready: boolean;
}

// A service that is new since the page was opened is there to be chosen after so many refreshes.
const TICKS = 6;

export function useVariables(
  uid: string,
  variables: readonly Variable[],
  location: Location,
  time: PageTime,
): Variables {
  const asked = variables.filter(({ type }) => type === 'query');
  // A variable may use others: any value change asks again, and so does time, now and then.
  const chosen = variables
    .map(({ name }) => location.params.getAll(`var-${name}`).map((value) => `${name}=${value}`))
    .flat()
    .join('&');
  const key = asked.length === 0 ? undefined : `${chosen} ${time.text.from} ${time.text.to}`;
  const loaded = useLoaded(
    async (signal) => {
      const known: Record<string, { options: VariableOption[]; error?: string }> = {};
      for (const { name } of asked) {
        const query = new URLSearchParams({
          from: String(time.range.fromMs),
          to: String(time.range.toMs),
        });
        for (const [param, value] of location.params)
          if (param.startsWith('var-')) query.append(param, value);
        const url = `/api/dashboards/${encodeURIComponent(uid)}/variables/${encodeURIComponent(name)}?${query}`;
        try {
          known[name] = { options: await getJson<VariableOption[]>(url, signal) };
        } catch (cause) {
          if (signal.aborted) throw cause;
          known[name] = { options: [], error: cause instanceof Error ? cause.message : String(cause) };
        }
      }
      return known;
    },
    key,
    Math.floor(time.tick / TICKS),
  );

  return useMemo(() => {
    const values: Record<string, string | string[]> = {};
    const list: ActiveVariable[] = [];
    for (const variable of variables) {
      const answer = loaded.data?.[variable.name];
      const options = answer?.options ?? initialOptions(variable);
      const value = chosenValue(variable, options, location.params.getAll(`var-${variable.name}`));
      values[variable.name] = value;
      list.push({ variable, options, value, ...(answer?.error ? { error: answer.error } : {}) });
    }
    const ready = key === undefined || loaded.data !== undefined || loaded.error !== undefined;
    return { list, values, key: JSON.stringify(values), ready };
  }, [variables, loaded.data, loaded.error, chosen, key === undefined]);
}
