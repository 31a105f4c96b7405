// On the site, the zoo's table of backbones as a plot: published top-1 accuracy against MACs. The
// name of a network shows when the pointer, or the keyboard's focus, is on its point.
document.addEventListener('DOMContentLoaded', () => {
  const SVG = 'http://www.w3.org/2000/svg';
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 430, 56, 14, 14, 44];
  const UNITS = {k: 1e3, M: 1e6, G: 1e9};
  const TICKS = [1, 2, 5];
  // After Okabe and Ito.
  const COLOURS = ['#D55E00', '#B8860B', '#CC79A7', '#0072B2', '#3A9BD9', '#009E73', '#555555'];

  function make(name, attributes, parent, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  // Rows of the table that have both numbers; what stands before the first digit is the family.
  function pointsOf(table) {
    const heads = Array.from(table.querySelectorAll('thead th'), each => each.textContent.trim());
    const [name, macs, top1, by] =
      ['name', 'MACs', 'top-1', 'accuracy by'].map(each => heads.indexOf(each));
    if (Math.min(name, macs, top1, by) < 0) return [];
    return Array.from(table.querySelectorAll('tbody tr'), row => {
      const cells = Array.from(row.children, each => each.textContent.trim());
      const [, count, unit] = /^([\d.]+)([kMG]?)$/.exec(cells[macs]) || [];
      const family = cells[name].replace(/_?\d.*$/, '');
      const said = `${cells[name]}: ${cells[top1]} % with ${cells[macs]} MACs (${cells[by]})`;
      return {family, said, macs: count * (UNITS[unit] || 1), top1: parseFloat(cells[top1])};
    }).filter(point => point.macs > 0 && Number.isFinite(point.top1));
  }

  // A function from values to pixels.
  function scale(values, from, to, spare) {
    const least = Math.min(...values), most = Math.max(...values);
    const room = (most - least || 1) * spare;
    const step = (to - from) / (most - least + 2 * room || 1);
    return value => from + (value - least + room) * step;
  }

  function drawAxes(svg, points, x, y) {
    const line = {stroke: 'currentColor', 'stroke-opacity': 0.15};
    const macs = points.map(point => point.macs), top1 = points.map(point => point.top1);
    for (let power = 5; power < 13; power++) {
      for (const tick of TICKS.map(each => each * 10 ** power)) {
        if (tick < Math.min(...macs) || tick > Math.max(...macs)) continue;
        const at = x(Math.log(tick));
        make('line', {x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, ...line}, svg);
        const shown = tick < 1e9 ? `${tick / 1e6}M` : `${tick / 1e9}G`;
        make('text', {x: at, y: HEIGHT - BOTTOM + 18, 'text-anchor': 'middle'}, svg, shown);
      }
    }
    for (let tick = Math.ceil(Math.min(...top1) / 2) * 2; tick <= Math.max(...top1); tick += 2) {
      make('line', {x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), ...line}, svg);
      make('text', {x: LEFT - 8, y: y(tick) + 4, 'text-anchor': 'end'}, svg, `${tick} %`);
    }
    const title = 'MACs at 224 x 224; published top-1 accuracy on ImageNet-1k upwards';
    make('text', {x: (LEFT + WIDTH) / 2, y: HEIGHT - 6, 'text-anchor': 'middle'}, svg, title);
  }

  function plot(points) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('role', 'group');
    svg.setAttribute('aria-label', 'Published top-1 accuracy against MACs');
    svg.style.cssText = 'width: 100%; font-size: 12px; fill: currentColor; overflow: visible';
    const x = scale(points.map(each => Math.log(each.macs)), LEFT, WIDTH - RIGHT, 0.04);
    const y = scale(points.map(each => each.top1), HEIGHT - BOTTOM, TOP, 0.04);
    drawAxes(svg, points, x, y);
    const families = Array.from(new Set(points.map(each => each.family)));
    const label = make('text', {'font-weight': 'bold', 'pointer-events': 'none'}, svg);
    families.forEach((family, place) => {
      const colour = COLOURS[place % COLOURS.length];
      make('circle', {cx: WIDTH - 128, cy: HEIGHT - BOTTOM - 130 + 18 * place, r: 5, fill: colour},
        svg);
      make('text', {x: WIDTH - 116, y: HEIGHT - BOTTOM - 126 + 18 * place}, svg, family);
      for (const point of points.filter(each => each.family === family)) {
        const [at, height] = [x(Math.log(point.macs)), y(point.top1)];
        const dot = make('circle', {cx: at, cy: height, r: 5, fill: colour, tabindex: 0,
          role: 'img', 'aria-label': point.said}, svg);
        const right = at > WIDTH / 2;
        const show = () => {
          label.textContent = point.said;
          label.setAttribute('x', right ? at - 10 : at + 10);
          label.setAttribute('y', height - 8);
          label.setAttribute('text-anchor', right ? 'end' : 'start');
          svg.append(label);
        };
        const hide = () => { label.textContent = ''; };
        for (const event of ['pointerenter', 'focus']) dot.addEventListener(event, show);
        for (const event of ['pointerleave', 'blur']) dot.addEventListener(event, hide);
      }
    });
    return svg;
  }

  for (const table of document.querySelectorAll('article table')) {
    const points = pointsOf(table);
    if (points.length > 1) (table.closest('.md-typeset__scrollwrap') || table).before(plot(points));
  }
});
