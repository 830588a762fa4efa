// ---- What is remembered ----------------------------------------------------
// The reference is written down before anything is sent, so that a reload, the
// back button or a second tab finds the same order again. Nothing personal is
// kept: no address, no name, no card.

// keeper keeps one JSON value, in memory alone where storage is denied or full.
function keeper(storage, key) {
  let memory = null, denied = !storage;
  return {
    read() {
      let text = memory;
      if (!denied) try { text = storage.getItem(key); } catch { denied = true; }
      try { return text ? JSON.parse(text) : null; } catch { return null; }
    },
    write(value) {
      memory = value ? JSON.stringify(value) : null;
      try { if (value) storage.setItem(key, memory); else storage.removeItem(key); } catch { denied = true; }
    },
  };
}

// usualStorage is localStorage; even to ask for it throws where it is denied.
function usualStorage() {
  try { return window.localStorage; } catch { return null; }
}

// uuid is a random version 4 UUID; randomUUID exists on secure pages only.
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// locked does work in one tab at a time; in another one it answers null at once.
// It is for clarity: that nobody is charged twice, the reference sees to.
async function locked(storage, name, work) {
  if (navigator.locks) {
    try {
      return await navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? work() : null));
    } catch (e) {
      if (e?.name !== "SecurityError") throw e; // a sandboxed frame may not lock
    }
  }
  const lock = keeper(storage, name), mine = uuid();
  if ((lock.read()?.until ?? 0) > Date.now()) return null;
  lock.write({ mine, until: Date.now() + PATIENCE.answer });
  await sleep(50); // two tabs that both saw it free: the last to write has it
  if (lock.read()?.mine !== mine) return null;
  try { return await work(); } finally { lock.write(null); }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
