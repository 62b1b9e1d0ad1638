package exchange

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
)

// database reads the tables of a SQLite file, by https://www.sqlite.org/fileformat2.html. It knows tables with
// row ids alone, and nothing of indices, views or what a write-ahead log holds beside the file.
type database struct {
	text   []byte
	page   int // bytes
	usable int // of them
	tables map[string]storedTable
}

// storedTable is where a table begins, and its columns in their order.
type storedTable struct {
	root    int
	columns []string
	id      int // column that is the row's id, which rows leave out; -1: none
}

// sqliteMagic is how a file of SQLite begins.
const sqliteMagic = "SQLite format 3\x00"

var errDamaged = errors.New("the database is damaged, or no SQLite database at all")

// openDatabase reads the schema.
func openDatabase(text []byte) (*database, error) {
	if len(text) < 100 || string(text[:len(sqliteMagic)]) != sqliteMagic {
		return nil, errDamaged
	}
	d := &database{text: text, page: int(binary.BigEndian.Uint16(text[16:])), tables: map[string]storedTable{}}
	if d.page == 1 {
		d.page = 1 << 16
	}
	d.usable = d.page - int(text[20])
	switch {
	case d.page < 512 || d.page&(d.page-1) != 0 || d.usable < 480:
		return nil, errDamaged
	case text[18] == 2 || text[19] == 2:
		return nil, errors.New("the database keeps what is new in a write-ahead log: run PRAGMA journal_mode=DELETE on it first")
	case binary.BigEndian.Uint32(text[56:]) != 1:
		return nil, errors.New("the texts of the database are UTF-16, want UTF-8")
	}
	schema := storedTable{root: 1, columns: []string{"type", "name", "tbl_name", "rootpage", "sql"}, id: -1}
	return d, d.rows(schema, func(row map[string]value) error {
		if row["type"].text == "table" {
			columns, id := columnsOf(row["sql"].text)
			d.tables[row["name"].text] = storedTable{int(row["rootpage"].number), columns, id}
		}
		return nil
	})
}

// columnsOf takes the names of the columns from a table's CREATE TABLE, and which of them is the row's id;
// -1: none.
func columnsOf(sql string) (columns []string, id int) {
	id = -1
	for _, definition := range definitions(sql) {
		name, rest, _ := strings.Cut(definition, " ")
		switch strings.ToUpper(name) {
		case "CONSTRAINT", "UNIQUE", "CHECK", "FOREIGN":
		case "PRIMARY": // KEY (name)
			if _, key, ok := strings.Cut(rest, "("); ok && id < 0 {
				id = slices.Index(columns, strings.Trim(key, "\"`[]) "))
			}
		default:
			if kind := strings.ToUpper(rest); strings.HasPrefix(kind, "INTEGER") && strings.Contains(kind, "PRIMARY KEY") {
				id = len(columns)
			}
			columns = append(columns, strings.Trim(name, "\"`[]"))
		}
	}
	return columns, id
}

// definitions cuts what stands in the parentheses of a statement at its commas.
func definitions(sql string) (out []string) {
	depth, begin := 0, 0
	for i, r := range sql {
		switch {
		case r == '(':
			if depth++; depth == 1 {
				begin = i + 1
			}
		case depth == 1 && (r == ')' || r == ','):
			out = append(out, strings.TrimSpace(sql[begin:i]))
			begin = i + 1
			if r == ')' {
				return out
			}
		case r == ')':
			depth--
		}
	}
	return out
}

// value is one of a row: a number, a text, or neither where it is null.
type value struct {
	null   bool
	number float64
	text   string
}

// rows calls f with each row of a table, in the order of their ids.
func (d *database) rows(t storedTable, f func(row map[string]value) error) error {
	return d.visit(t.root, map[int]bool{}, func(cell []byte) error { return d.leaf(t, cell, f) })
}

// Kinds of page.
const (
	interior = 5
	leaf     = 13
)

// visit calls f with the cells of all leaves below a page. A page that comes twice is a fault.
func (d *database) visit(page int, visited map[int]bool, f func(cell []byte) error) error {
	b, ok := d.at(page)
	if !ok || visited[page] {
		return errDamaged
	}
	visited[page] = true
	head, size := b, 8
	if page == 1 {
		head = b[100:] // behind what is about the file
	}
	kind, cells := head[0], int(binary.BigEndian.Uint16(head[3:]))
	if kind == interior {
		size = 12
	}
	if kind != interior && kind != leaf || size+2*cells > len(head) {
		return errDamaged
	}
	for k := range cells {
		cell := int(binary.BigEndian.Uint16(head[size+2*k:]))
		if cell+4 > len(b) {
			return errDamaged
		}
		var err error
		if kind == interior {
			err = d.visit(int(binary.BigEndian.Uint32(b[cell:])), visited, f)
		} else {
			err = f(b[cell:])
		}
		if err != nil {
			return err
		}
	}
	if kind == interior {
		return d.visit(int(binary.BigEndian.Uint32(head[8:])), visited, f)
	}
	return nil
}

// at returns a page; they are numbered from 1.
func (d *database) at(page int) (b []byte, ok bool) {
	from := (page - 1) * d.page
	if page < 1 || from+d.page > len(d.text) {
		return nil, false
	}
	return d.text[from : from+d.page], true
}

// leaf reads the row in a cell of a leaf.
func (d *database) leaf(t storedTable, cell []byte, f func(row map[string]value) error) error {
	size, n := varint(cell)
	id, m := varint(cell[n:])
	if n == 0 || m == 0 || size > uint64(len(d.text)) {
		return errDamaged
	}
	payload, err := d.payload(cell[n+m:], int(size))
	if err != nil {
		return err
	}
	values, err := recordValues(payload)
	if err != nil {
		return err
	}
	row := make(map[string]value, len(t.columns))
	for k, column := range t.columns {
		v := value{null: true}
		if k < len(values) {
			v = values[k]
		}
		if k == t.id && v.null {
			v = value{number: float64(id)}
		}
		row[column] = v
	}
	return f(row)
}

// payload joins what is in a cell with what overflows from it.
func (d *database) payload(local []byte, size int) ([]byte, error) {
	most, least := d.usable-35, (d.usable-12)*32/255-23
	here := size
	if size > most {
		here = least + (size-least)%(d.usable-4)
		if here > most {
			here = least
		}
	}
	if here > len(local) {
		return nil, errDamaged
	}
	if here == size {
		return local[:here], nil
	}
	out := append(make([]byte, 0, size), local[:here]...)
	if here+4 > len(local) {
		return nil, errDamaged
	}
	for next := int(binary.BigEndian.Uint32(local[here:])); len(out) < size; {
		b, ok := d.at(next)
		if !ok {
			return nil, errDamaged
		}
		out = append(out, b[4:4+min(d.usable-4, size-len(out))]...)
		next = int(binary.BigEndian.Uint32(b))
	}
	return out, nil
}

// recordValues takes a row apart: the types of its values, then the values.
func recordValues(payload []byte) (out []value, err error) {
	size, n := varint(payload)
	if n == 0 || size < uint64(n) || size > uint64(len(payload)) {
		return nil, errDamaged
	}
	types, body := payload[n:size], payload[size:]
	for len(types) > 0 {
		kind, n := varint(types)
		if n == 0 {
			return nil, errDamaged
		}
		types = types[n:]
		v, used, ok := readValue(kind, body)
		if !ok {
			return nil, errDamaged
		}
		out, body = append(out, v), body[used:]
	}
	return out, nil
}

// readValue reads a value of a serial type.
func readValue(kind uint64, body []byte) (v value, used int, ok bool) {
	switch {
	case kind == 0:
		return value{null: true}, 0, true
	case kind <= 6:
		used = []int{0, 1, 2, 3, 4, 6, 8}[kind]
	case kind == 7:
		used = 8
	case kind == 8 || kind == 9:
		return value{number: float64(kind - 8)}, 0, true
	case kind >= 12 && (kind-12)/2 <= uint64(len(body)):
		used = int((kind - 12) / 2)
		return value{text: string(body[:used])}, used, true
	default:
		return v, 0, false
	}
	if used > len(body) {
		return v, 0, false
	}
	if kind == 7 {
		return value{number: math.Float64frombits(binary.BigEndian.Uint64(body))}, used, true
	}
	n := int64(int8(body[0]))
	for _, b := range body[1:used] {
		n = n<<8 | int64(b)
	}
	return value{number: float64(n)}, used, true
}

// varint reads a number of 1 to 9 bytes, the most significant first; n is 0 when it is cut off.
func varint(b []byte) (v uint64, n int) {
	for n < 9 && n < len(b) {
		c := b[n]
		n++
		if n == 9 {
			return v<<8 | uint64(c), n
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return v, n
		}
	}
	return 0, 0
}
