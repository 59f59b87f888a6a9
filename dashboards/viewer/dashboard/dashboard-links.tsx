import type { JSX } from 'preact';
import type { DashboardLink } from '../model/dashboard.ts';
import { safeHref } from '../model/markdown.tsx';
import type { DashboardEntry } from '../shell/app.tsx';
import { Link } from '../shell/link.tsx';
import { type Location, urlOf } from '../shell/location.ts';

/** The dashboard's `links`: to other dashboards by tag, or to an address. */
export function DashboardLinks(props: {
  links: readonly DashboardLink[];
  dashboards: readonly DashboardEntry[];
  location: Location;
}): JSX.Element | null {
  const entries = props.links.flatMap((link) => {
    const query = carried(link, props.location);
    if (link.type === 'dashboards') {
      return props.dashboards
        .filter(({ tags }) => (link.tags ?? []).every((tag) => tags?.includes(tag)))
        .map(({ uid, title }) => ({ title, href: urlOf(`/d/${encodeURIComponent(uid)}`, query) }))
        .filter(({ href }) => !href.startsWith(props.location.path));
    }
    const href = safeHref(link.url ?? '');
    return href ? [{ title: link.title ?? href, href: urlOf(href, query) }] : [];
  });
  if (entries.length === 0) return null;
  return (
    <span class="links">
      {entries.map(({ title, href }) =>
        href.startsWith('/') ? (
          <Link href={href} key={href}>
            {title}
          </Link>
        ) : (
          <a href={href} target="_blank" rel="noreferrer noopener" key={href}>
            {title} ↗
          </a>
        ),
      )}
    </span>
  );
}

function carried(link: DashboardLink, { params }: Location): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of params) {
    const time = name === 'from' || name === 'to';
    if ((time && link.keepTime) || (name.startsWith('var-') && link.includeVars)) query.append(name, value);
  }
  return query;
}
