/** Where is a value kept between pages? In localStorage; where that is closed or full, in memory for this page. */

const PREFIX = "rk.";

export interface Store {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  /** Sorted names that begin with `start`. */
  keys(start: string): string[];
}

export function openStore(): Store {
  const memory = new Map<string, string>();
  let disk: Storage | undefined;
  try {
    disk = window.localStorage;
    disk.setItem(PREFIX, "");
    disk.removeItem(PREFIX);
  } catch {
    disk = undefined; // blocked by the browser or full: events still go out while the page lives
  }
  return {
    get: (key) => memory.get(key) ?? disk?.getItem(PREFIX + key) ?? null,
    set(key, value) {
      try {
        if (!disk) throw 0;
        disk.setItem(PREFIX + key, value);
        memory.delete(key);
      } catch {
        memory.set(key, value);
      }
    },
    remove(key) {
      memory.delete(key);
      disk?.removeItem(PREFIX + key);
    },
    keys(start) {
      const names = new Set(memory.keys());
      for (let i = 0; disk && i < disk.length; i++) {
        const name = disk.key(i);
        if (name?.startsWith(PREFIX)) names.add(name.slice(PREFIX.length));
      }
      return [...names].filter((name) => name.startsWith(start)).sort();
    },
  };
}
