/** A system call that strace saw, begin and end. */
export interface Call {
  readonly name: string;
  /** Places in the trace: a call with `ended` less than another's `began` was over before that one began. */
  readonly began: number;
  readonly ended: number;
  /** The arguments, as strace prints them. */
  readonly args: string;
  /** Of its texts and descriptors, the paths and contents: `link("a", "b")` has a and b, `fsync(3</c>)` has /c. */
  readonly texts: readonly string[];
  /** Number of the descriptor that it works on, if it does. */
  readonly fd: number | undefined;
  /** What it returned; `undefined` where it never did. */
  readonly result: number | undefined;
  /** Name of the error, if it failed. */
  readonly error: string | undefined;
  /** Whether strace made it fail. */
  readonly injected: boolean;
}

const LINE = /^(?:(\d+) +)?(.*)$/;
const CALL = /^(\w+)\((.*)\) += (\?|-?\d+)(?:<.*>)?(?: (E[A-Z0-9]+) \(.*?\))?( \(INJECTED\))?$/;
const UNFINISHED = / <unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. \w+ resumed>/;
const TEXT = /"((?:[^"\\]|\\.)*)"|(?:^|, )(\d+)<([^>]*?)(?:>\(deleted\)| \(deleted\)>|>)/g;

/** Reads what `strace -y -o` wrote, with or without `-f`. A call that another thread's call interrupts is one call. */
export function parseTrace(trace: string): readonly Call[] {
  const calls: Call[] = [];
  const pending = new Map<string, { readonly began: number; readonly text: string }>();
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread = '', said = ''] = LINE.exec(line) ?? [];
    if (UNFINISHED.test(said)) {
      pending.set(thread, { began: at, text: said.replace(UNFINISHED, '') });
      continue;
    }
    const resumes = RESUMED.test(said) ? pending.get(thread) : undefined;
    const call = toCall(resumes === undefined ? said : resumes.text + said.replace(RESUMED, ''), resumes?.began ?? at, at);
    if (call !== undefined) calls.push(call);
  }
  return calls;
}

function toCall(line: string, began: number, ended: number): Call | undefined {
  const [, name, args, result, error, injected] = CALL.exec(line) ?? [];
  if (name === undefined || args === undefined) return undefined;
  const found = [...args.matchAll(TEXT)];
  const fd = found.find(([, quoted]) => quoted === undefined)?.[2];
  return {
    name,
    began,
    ended,
    args,
    texts: found.map(([, quoted, , path]) => (quoted === undefined ? (path as string) : unquoted(quoted))),
    fd: fd === undefined ? undefined : Number(fd),
    result: result === '?' ? undefined : Number(result),
    error,
    injected: injected !== undefined,
  };
}

/** The escapes that strace writes are those of JSON, but for the numbered ones and a few more. */
function unquoted(text: string): string {
  const plain = text.replaceAll(/\\(?:(["\\nrtbf])|x[0-9a-f]{2}|[0-7]{1,3}|.)/g, (all, known) => (known === undefined ? '?' : all));
  return JSON.parse(`"${plain}"`) as string;
}
