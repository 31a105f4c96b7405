'use strict';
const all = (selector, within) => Array.from((within || document).querySelectorAll(selector));

// A column is sorted by its heading: the largest first, then the smallest; names by the alphabet.
function sortRows(heading) {
  const table = heading.closest('table');
  const place = Array.from(heading.parentNode.children).indexOf(heading);
  const down = heading.getAttribute('aria-sort') !== 'descending';
  const value = row => {
    const cell = row.children[place];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (one, other) => {
    const pair = [value(one), value(other)];
    if (typeof pair[0] === 'string') { return pair[0].localeCompare(pair[1]) * (down ? 1 : -1); }
    if (Number.isNaN(pair[0])) { return 1; }
    if (Number.isNaN(pair[1])) { return -1; }
    return (pair[1] - pair[0]) * (down ? 1 : -1);
  };
  const body = table.querySelector('tbody');
  body.append(...Array.from(body.children).sort(compare));
  all('th', table).forEach(each => each.removeAttribute('aria-sort'));
  heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
}

all('th button').forEach(button => {
  button.addEventListener('click', () => sortRows(button.parentNode));
});

all('.chart figcaption button').forEach(button => {
  button.addEventListener('click', () => {
    const shown = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(shown));
    const lines = all('g[data-line="' + button.dataset.line + '"]', button.closest('figure'));
    lines.forEach(line => { line.style.display = shown ? '' : 'none'; });
  });
});

all('.picture button').forEach(button => {
  button.addEventListener('click', () => button.parentNode.classList.toggle('large'));
});
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') { all('.large').forEach(each => each.classList.remove('large')); }
});
