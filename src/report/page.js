'use strict';
// Tables of the page: a head that is pressed sorts, a field above a long one filters. What is folded away unfolds for paper.
(() => {
  const long = 12;
  const number = (text) => {
    const plain = text.replace(/[,%<×✖\s]/g, '');
    return /^[+-]?\d+(\.\d+)?$/.test(plain) ? Number(plain) : null;
  };
  const body = (table) => table.tBodies[0];
  // A row and the rows that belong to it.
  const groups = (table) => {
    const all = [];
    for (const row of body(table).rows) {
      if (row.classList.contains('cells') && all.length) all[all.length - 1].push(row);
      else all.push([row]);
    }
    return all;
  };
  // A cell sorts by its first line, not by the number that stands below it.
  const own = (cell) => {
    const below = cell.querySelector('div');
    return cell.textContent.slice(0, below ? -below.textContent.length : undefined).trim();
  };
  const sort = (table, at, head) => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const key = (group) => (group[0].cells[at] ? own(group[0].cells[at]) : '');
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      const [m, n] = [number(x), number(y)];
      if (m !== null && n !== null) return m - n;
      if ((m === null) !== (n === null)) return m === null ? 1 : -1;
      return x.localeCompare(y, document.documentElement.lang);
    };
    const sorted = groups(table).sort(order);
    if (down) sorted.reverse();
    for (const group of sorted) body(table).append(...group);
  };
  const filter = (table, text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const group of groups(table)) {
      const said = group.map((row) => row.textContent.toLowerCase()).join(' ');
      const shown = words.every((word) => said.includes(word));
      for (const row of group) row.hidden = !shown;
    }
  };
  for (const table of document.querySelectorAll('main table')) {
    if (!table.tHead || table.tBodies.length !== 1 || table.closest('tr.cells')) continue;
    const rows = groups(table).length;
    if (rows < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      head.tabIndex = 0;
      head.classList.add('sorts');
      head.addEventListener('click', () => sort(table, at, head));
      head.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        sort(table, at, head);
      });
    });
    if (rows < long) continue;
    const field = document.createElement('input');
    field.type = 'search';
    field.placeholder = document.body.dataset.search;
    field.setAttribute('aria-label', document.body.dataset.search);
    field.addEventListener('input', () => filter(table, field.value));
    (table.closest('.scroll') || table).before(field);
  }
  // A link to something inside a folded part unfolds it.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest('details');
    if (folded) folded.open = true;
  };
  addEventListener('hashchange', unfold);
  unfold();
  let folded = [];
  addEventListener('beforeprint', () => {
    folded = [...document.querySelectorAll('details:not([open])')];
    for (const one of folded) one.open = true;
  });
  addEventListener('afterprint', () => {
    for (const one of folded) one.open = false;
  });
})();
