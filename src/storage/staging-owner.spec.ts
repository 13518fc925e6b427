import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { readFileSync } from 'node:fs';
import { isGone, OWNER_PREFIX, ownerOf, SELF, type StagingOwner } from './staging-owner';

/** Field 22 of /proc/<pid>/stat; nothing in these names has a space or a bracket. */
function beganAt(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21] as string;
}

describe('the owner of a staged file', () => {
  const children: ChildProcess[] = [];
  const living = async (): Promise<[ChildProcess, StagingOwner]> => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    const pid = child.pid as number;
    return [child, { machine: SELF.machine, pid, began: beganAt(pid) }];
  };

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('is told by the beginning of its name', () => {
    expect(ownerOf(`${OWNER_PREFIX}0c5b2c0e-upload`)).toEqual(SELF);
    expect(ownerOf('0123abcd-4711-123456-0c5b2c0e')).toEqual({ machine: '0123abcd', pid: 4711, began: '123456' });
    expect(SELF).toEqual({ machine: expect.stringMatching(/^[0-9a-f]{8}$/), pid: process.pid, began: beganAt(process.pid) });
  });

  it.each([
    ['nothing', ''],
    ['no number', '0123abcd-x-123456-upload'],
    ['a negative number', '0123abcd--1-123456-upload'],
    ['no time', '0123abcd-4711--upload'],
    ['no end', '0123abcd-4711-123456'],
    ['a short machine', '0123abc-4711-123456-upload'],
    ['a long machine', '0123abcd0-4711-123456-upload'],
    ['a machine in capitals', '0123ABCD-4711-123456-upload'],
    ['something before', '.0123abcd-4711-123456-upload'],
    ['a folder before', 'x/0123abcd-4711-123456-upload'],
    ['a line break before', '\n0123abcd-4711-123456-upload'],
    ['a UUID', '0c5b2c0e-58cc-4372-a567-0e02b2c3d479'],
  ])('is nobody where the name has %s', (_what, name) => {
    expect(ownerOf(name)).toBeUndefined();
  });

  it('is not gone while it runs', async () => {
    expect(isGone(SELF)).toBe(false);
    const [, owner] = await living();
    expect(isGone(owner)).toBe(false);
  });

  it('is gone when its process has ended', async () => {
    const [child, owner] = await living();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isGone(owner)).toBe(true);
  });

  it('is gone although its number is used again', async () => {
    const [, owner] = await living();
    expect(isGone({ ...owner, began: String(Number(owner.began) - 1) })).toBe(true);
    expect(isGone({ ...SELF, began: '0' })).toBe(true);
  });

  it('is never gone where it is of another machine, or of another namespace of process numbers', async () => {
    const other = SELF.machine === '00000000' ? '11111111' : '00000000';
    const [child, owner] = await living();
    child.kill('SIGKILL');
    await once(child, 'exit');
    for (const elsewhere of [owner, { ...SELF, began: '0' }]) expect(isGone({ ...elsewhere, machine: other })).toBe(false);
  });

  it('is gone where its number is none that a process can have', () => {
    expect(isGone({ ...SELF, pid: 1e20 })).toBe(true);
  });

  describe('on a system that does not tell when a process began', () => {
    const failWith = (code: string) => () => {
      throw Object.assign(new Error(code), { code });
    };

    beforeEach(() => {
      jest.spyOn(fs, 'readFileSync').mockImplementation(failWith('ENOENT'));
    });

    it('is asked for an answer', async () => {
      const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
      expect(isGone({ ...SELF, pid: 4711 })).toBe(false);
      expect(kill).toHaveBeenCalledWith(4711, 0);
    });

    it('is gone where nobody answers', () => {
      jest.spyOn(process, 'kill').mockImplementation(failWith('ESRCH'));
      expect(isGone({ ...SELF, pid: 4711 })).toBe(true);
    });

    it('is not gone where it is another user’s', () => {
      jest.spyOn(process, 'kill').mockImplementation(failWith('EPERM'));
      expect(isGone({ ...SELF, pid: 4711 })).toBe(false);
    });
  });
});
