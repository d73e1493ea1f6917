// Elements by id, and elements made in one call.
export const byId = (id) => document.getElementById(id);

/** element('td', { class: 'name', title: 'x' }, 'text', child) */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Sets --paint of an element; the page's policy forbids style attributes. */
export function painted(node, color) {
  node.style.setProperty('--paint', color);
  return node;
}
