/**
 * The Markdown that text panels use (headings, paragraphs, lists, emphasis, code, links, quotes, rules) as
 * elements. Nothing is ever parsed as HTML: tags in the text stay text, and only safe links become links.
 */
import type { ComponentChild } from 'preact';

export function Markdown({ text }: { text: string }): ComponentChild {
  return <div class="markdown">{blocks(text.replaceAll('\r\n', '\n').split('\n'))}</div>;
}

function blocks(lines: readonly string[]): ComponentChild[] {
  const result: ComponentChild[] = [];
  let at = 0;
  const take = (pattern: RegExp): string[] => {
    const taken: string[] = [];
    for (let line = lines[at]; line !== undefined && pattern.test(line); line = lines[at]) {
      taken.push(line.replace(pattern, ''));
      at += 1;
    }
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (/^\s*$/.test(line)) {
      at += 1;
    } else if (line.startsWith('```')) {
      at += 1;
      const code = take(/^(?!```)/);
      at += 1;
      result.push(
        <pre>
          <code>{code.join('\n')}</code>
        </pre>,
      );
    } else if (heading) {
      const Tag = `h${heading[1]?.length ?? 1}` as 'h1';
      result.push(<Tag>{inline(heading[2] ?? '')}</Tag>);
      at += 1;
    } else if (/^\s*(-{3,}|\*{3,})\s*$/.test(line)) {
      result.push(<hr />);
      at += 1;
    } else if (/^\s*[-*+]\s+/.test(line)) {
      result.push(<ul>{take(/^\s*[-*+]\s+/).map(item)}</ul>);
    } else if (/^\s*\d+[.)]\s+/.test(line)) {
      result.push(<ol>{take(/^\s*\d+[.)]\s+/).map(item)}</ol>);
    } else if (/^>\s?/.test(line)) {
      result.push(<blockquote>{blocks(take(/^>\s?/))}</blockquote>);
    } else {
      const paragraph: string[] = [];
      while (
        at < lines.length &&
        !/^\s*$|^(#{1,6})\s|^```|^\s*[-*+]\s+|^\s*\d+[.)]\s+|^>/.test(lines[at] ?? '')
      ) {
        paragraph.push(lines[at] ?? '');
        at += 1;
      }
      // A line that starts like a block but is none must still be consumed.
      if (paragraph.length === 0) paragraph.push(lines[at++] ?? '');
      result.push(<p>{inline(paragraph.join(' '))}</p>);
    }
  }
  return result;
}

function item(text: string): ComponentChild {
  return <li>{inline(text)}</li>;
}

const INLINE = /(`[^`]+`)|(\*\*[^*]+\*\*)|(__[^_]+__)|(\*[^*\s][^*]*\*)|\[([^\]]+)\]\(([^)\s]+)\)/;

export function inline(text: string): ComponentChild[] {
  const result: ComponentChild[] = [];
  let rest = text;
  for (let match = INLINE.exec(rest); match; match = INLINE.exec(rest)) {
    if (match.index > 0) result.push(rest.slice(0, match.index));
    const [whole, code, strong, underlined, emphasis, label, url] = match;
    if (code) result.push(<code>{code.slice(1, -1)}</code>);
    else if (strong) result.push(<strong>{inline(strong.slice(2, -2))}</strong>);
    else if (underlined) result.push(<strong>{inline(underlined.slice(2, -2))}</strong>);
    else if (emphasis) result.push(<em>{inline(emphasis.slice(1, -1))}</em>);
    else if (label && url) {
      const href = safeHref(url);
      result.push(
        href ? (
          <a href={href} rel="noreferrer noopener">
            {inline(label)}
          </a>
        ) : (
          whole
        ),
      );
    }
    rest = rest.slice(match.index + whole.length);
  }
  if (rest !== '') result.push(rest);
  return result;
}

const UNSEEN = new RegExp(String.raw`[\u0000-\u0020\u007f]`, 'g');

/** http, https, mailto and addresses within the viewer; anything else (javascript:, data:) is no link. */
export function safeHref(url: string): string | undefined {
  // Browsers ignore control characters within a scheme: `java\tscript:` must not pass.
  const plain = url.replaceAll(UNSEEN, '');
  if (/^(https?:|mailto:)/i.test(plain)) return plain;
  if (/^[/?#]/.test(plain) && !/^\/[/\\]/.test(plain)) return plain;
  return undefined;
}
