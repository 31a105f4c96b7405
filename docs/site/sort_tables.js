// On the site, a click on a heading of a table with many rows sorts by that column.
document.addEventListener('DOMContentLoaded', () => {
  const LEAST_ROWS = 8;
  const UNITS = {k: 1e3, M: 1e6, G: 1e9};

  // '4.09M' and '77.2' are numbers, '-' is no value; all else is text.
  function valueOf(row, place) {
    const text = row.children[place].textContent.trim();
    const found = /^(-?[\d.]+)\s*([kMG]?)$/.exec(text);
    return found ? Number(found[1]) * (UNITS[found[2]] || 1) : text === '-' ? NaN : text;
  }

  function compare(one, other, direction) {
    if (Number.isNaN(one) || Number.isNaN(other)) {
      return Number.isNaN(one) - Number.isNaN(other);
    }
    if (typeof one === 'number' && typeof other === 'number') {
      return (one - other) * direction;
    }
    return String(one).localeCompare(String(other), undefined, {numeric: true}) * direction;
  }

  for (const table of document.querySelectorAll('article table')) {
    const body = table.querySelector('tbody');
    if (!body || body.children.length < LEAST_ROWS) continue;
    table.querySelectorAll('thead th').forEach((heading, place) => {
      heading.tabIndex = 0;
      heading.style.cursor = 'pointer';
      heading.title = 'sort by this column';
      const sort = () => {
        const direction = heading.getAttribute('aria-sort') === 'descending' ? 1 : -1;
        const rows = Array.from(body.children);
        rows.sort((a, b) => compare(valueOf(a, place), valueOf(b, place), direction));
        body.append(...rows);
        table.querySelectorAll('th').forEach(each => each.removeAttribute('aria-sort'));
        heading.setAttribute('aria-sort', direction < 0 ? 'descending' : 'ascending');
      };
      heading.addEventListener('click', sort);
      heading.addEventListener('keydown', event => { if (event.key === 'Enter') sort(); });
    });
  }
});
