import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ALL, valueLabel } from '../model/variables.ts';
import { setParams } from '../shell/location.ts';
import type { ActiveVariable } from './use-variables.ts';

export function VariableBar({ variables }: { variables: readonly ActiveVariable[] }): JSX.Element | null {
  const shown = variables.filter(
    ({ variable }) => variable.hide !== 2 && !['datasource', 'constant', 'adhoc'].includes(variable.type),
  );
  if (shown.length === 0) return null;
  return (
    <div class="variables">
      {shown.map((active) => (
        <div class="variable" key={active.variable.name} title={active.variable.description ?? ''}>
          {active.variable.hide !== 1 && (
            <span class="variable-name">{active.variable.label || active.variable.name}</span>
          )}
          {active.variable.type === 'textbox' ? <TextBox active={active} /> : <Choice active={active} />}
          {active.error && (
            <span class="error" title={active.error}>
              {active.error}
            </span>
          )}
        </div>
      ))}
    </div>
  );
}

// A query per key press would only be thrown away by the next one.
const TYPING_PAUSE_MS = 400;

function TextBox({ active }: { active: ActiveVariable }): JSX.Element {
  const name = `var-${active.variable.name}`;
  const value = String(active.value);
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => setParams({ [name]: text }, true), TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <input
      type="search"
      value={text}
      spellcheck={false}
      onInput={(event) => setText(event.currentTarget.value)}
      aria-label={active.variable.label || active.variable.name}
    />
  );
}

function Choice({ active }: { active: ActiveVariable }): JSX.Element {
  const { variable, options, value } = active;
  const [open, setOpen] = useState(false);
  const [filter, setFilter] = useState('');
  const box = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!open) return;
    box.current?.querySelector('input')?.focus();
    const close = (event: Event): void => {
      if (event instanceof KeyboardEvent && event.key !== 'Escape') return;
      if (event instanceof MouseEvent && box.current?.contains(event.target as Node)) return;
      setOpen(false);
      setFilter('');
    };
    document.addEventListener('mousedown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('mousedown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);

  const chosen = new Set(typeof value === 'string' ? [value] : value);
  const all = variable.includeAll ? [{ text: 'All', value: ALL }] : [];
  const listed = [...all, ...options.filter((option) => option.value !== ALL)].filter(({ text }) =>
    text.toLowerCase().includes(filter.toLowerCase()),
  );
  const pick = (picked: string): void => {
    const param = `var-${variable.name}`;
    if (!variable.multi || picked === ALL) {
      setParams({ [param]: picked });
      setOpen(false);
      return;
    }
    const next = new Set([...chosen].filter((one) => one !== ALL));
    if (!next.delete(picked)) next.add(picked);
    setParams({ [param]: next.size === 0 ? (variable.includeAll ? ALL : null) : [...next] });
  };
  return (
    <span class="choice" ref={box}>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="choice-label">{valueLabel(value, options) || 'none'}</span>
        <span class="chevron down" aria-hidden="true" />
      </button>
      {open && (
        <div class="popover choice-popover">
          {options.length > 8 && (
            <input
              type="search"
              placeholder="Filter"
              value={filter}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
          )}
          <ul>
            {listed.slice(0, 500).map((option) => (
              <li key={option.value}>
                <button
                  type="button"
                  class={chosen.has(option.value) ? 'chosen' : ''}
                  onClick={() => pick(option.value)}
                >
                  {variable.multi && <span class="tick" aria-hidden="true" />}
                  {option.text}
                </button>
              </li>
            ))}
            {listed.length === 0 && <li class="muted">nothing to choose</li>}
          </ul>
        </div>
      )}
    </span>
  );
}
