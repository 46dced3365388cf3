// Saved avatars in the browser's storage, as ``window.collection``. Each is an entry of its own,
// "avatar?" and its query -> when it was saved: pages open side by side cannot write over another's.
(old) => {
  const START = "avatar?", most = LIMITS;
  const kept = () => {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(START));
      return keys.sort((a, b) => localStorage[a] - localStorage[b]).map((key) => key.slice(START.length));
    } catch { return []; } // storage is off
  };
  const changed = () => dispatchEvent(new Event("storage")); // other pages get it by themselves
  // Whether there was room for it.
  const save = (query, time = Date.now()) => {
    if (kept().length >= most.saved && !kept().includes(query)) return false;
    localStorage.setItem(START + query, time);
    changed();
    return true;
  };
  // Returns when it had been saved.
  const forget = (query) => {
    const time = localStorage.getItem(START + query);
    localStorage.removeItem(START + query);
    changed();
    return time;
  };
  window.collection = { kept, save, forget, most };
  old?.forEach((query, i) => save(query, i + 1)); // Gradio kept all in one entry until version 0.1
  return [[]];
}
