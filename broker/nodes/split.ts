/**
 * Takes out of a request what may not be served, lets the handler answer the rest, and puts the refusals into its
 * answer. Handlers thus need not know that there are several nodes, or quotas on what they change.
 */
export type Body = Record<string, unknown>;

/** Where a request names partitions, and where its answer does. */
export interface PartitionPlaces {
  readonly asked: readonly [topics: string, partitions: string, index: string | undefined];
  readonly answered: readonly [topics: string, partitions: string, index: string];
}

/** Where a request names things one by one, and where its answer does. `undefined` is a list of plain names. */
export interface EntryPlaces {
  readonly asked: readonly [list: string, name: string | undefined];
  readonly answered: readonly [list: string, name: string];
}

export interface Split {
  readonly rest: Body;
  readonly isWhole: boolean;
  /** The answer of the rest with the refusals. */
  merge(answer: Body): Body;
}

/** `refuse` gives the fields of the refusal of one partition, or undefined to let it pass. */
export function splitPartitions(
  request: Body,
  { asked, answered }: PartitionPlaces,
  refuse: (topic: Body, index: number) => Body | undefined,
): Split {
  const [topicsName, partitionsName, indexName] = asked;
  const refused: Array<{ topic: Body; partitions: Body[] }> = [];
  const rest: Body[] = [];
  for (const topic of listOf(request, topicsName)) {
    const partitions: Body[] = [];
    const kept = (topic[partitionsName] as unknown[]).filter((one) => {
      const index = (indexName === undefined ? one : (one as Body)[indexName]) as number;
      const refusal = refuse(topic, index);
      if (refusal) partitions.push({ [answered[2]]: index, ...refusal });
      return refusal === undefined;
    });
    if (partitions.length === 0) {
      rest.push(topic);
      continue;
    }
    refused.push({ topic, partitions });
    if (kept.length > 0) rest.push({ ...topic, [partitionsName]: kept });
  }
  return {
    rest: refused.length === 0 ? request : { ...request, [topicsName]: rest },
    isWhole: refused.length === 0,
    merge: (answer) => {
      const topics = listOf(answer, answered[0]).map((topic) => ({ ...topic }));
      for (const { topic, partitions } of refused) {
        const there = topics.find((one) => isSameTopic(one, topic));
        if (there) there[answered[1]] = [...(there[answered[1]] as Body[]), ...partitions];
        else topics.push({ ...nameOf(topic), [answered[1]]: partitions });
      }
      return { ...answer, [answered[0]]: topics };
    },
  };
}

/** `refuse` gives the fields of the refusal of one entry, or undefined to let it pass. */
export function splitEntries(
  request: Body,
  { asked, answered }: EntryPlaces,
  refuse: (name: string, entry: unknown) => Body | undefined,
): Split {
  const [listName, entryName] = asked;
  const refused: Body[] = [];
  const rest = (request[listName] as unknown[]).filter((entry) => {
    const name = (entryName === undefined ? entry : (entry as Body)[entryName]) as string;
    const refusal = refuse(name, entry);
    if (refusal) refused.push({ [answered[1]]: name, ...refusal });
    return refusal === undefined;
  });
  return {
    rest: refused.length === 0 ? request : { ...request, [listName]: rest },
    isWhole: refused.length === 0,
    merge: (answer) => ({ ...answer, [answered[0]]: [...listOf(answer, answered[0]), ...refused] }),
  };
}

export function listOf(body: Body, name: string): Body[] {
  return (body[name] ?? []) as Body[];
}

/** A topic goes by `name`, `topic` or `topicId`, the same in request and answer. */
function nameOf({ name, topic, topicId }: Body): Body {
  return { name, topic, topicId };
}

function isSameTopic(a: Body, b: Body): boolean {
  const byName = (one: Body): unknown => one['name'] || one['topic'];
  return byName(a) || byName(b) ? byName(a) === byName(b) : a['topicId'] === b['topicId'];
}
