import type { JSX, RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { setParams } from '../shell/location.ts';
import { EXAMPLES } from './query-text.ts';

export function QueryForm(props: {
  query: string;
  input: RefObject<HTMLTextAreaElement | null>;
  live: boolean;
  wrap: boolean;
  pretty: boolean;
  error: string | undefined;
  onRun: (query: string) => void;
}): JSX.Element {
  const [text, setText] = useState(props.query);
  useEffect(() => setText(props.query), [props.query]);
  const run = (event: Event): void => {
    event.preventDefault();
    props.onRun(text.trim());
  };
  const rows = Math.min(6, text.split('\n').length);
  return (
    <form class="query-form" onSubmit={run}>
      <div class="query-row">
        <textarea
          ref={props.input}
          rows={rows}
          value={text}
          spellcheck={false}
          autocomplete="off"
          aria-label="LogQL query"
          aria-invalid={props.error !== undefined}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && !event.shiftKey) run(event);
            if (event.key === 'Escape') event.currentTarget.blur();
          }}
        />
        <button type="submit" class="primary">
          Run
        </button>
        <button
          type="button"
          class={props.live ? 'live-button on' : 'live-button'}
          aria-pressed={props.live}
          onClick={() => setParams({ live: props.live ? null : '1', ...(props.live ? {} : { to: 'now' }) })}
        >
          <i aria-hidden="true" />
          Live
        </button>
      </div>
      {props.error && (
        <p class="query-error" role="alert">
          {props.error}
        </p>
      )}
      <div class="query-tools">
        <span class="examples">
          {EXAMPLES.map((example) => (
            <button
              type="button"
              key={example.query}
              title={example.query}
              onClick={() => props.onRun(example.query)}
            >
              {example.text}
            </button>
          ))}
        </span>
        <Switch name="Wrap" param="wrap" on={props.wrap} />
        <Switch name="Pretty JSON" param="pretty" on={props.pretty} />
      </div>
    </form>
  );
}

function Switch({ name, param, on }: { name: string; param: string; on: boolean }): JSX.Element {
  return (
    <button
      type="button"
      class={on ? 'switch on' : 'switch'}
      aria-pressed={on}
      onClick={() => setParams({ [param]: on ? null : '1' }, true)}
    >
      {name}
    </button>
  );
}
