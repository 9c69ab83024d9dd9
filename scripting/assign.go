package scripting

import (
	"github.com/yuin/gopher-lua/ast"
)

// Assignments to several variables.
//
// Lua evaluates all expressions of "a, b = b, a" before it assigns any. gopher-lua's compiler writes each value straight into its local variable,
// so that the next expression finds the new one. Where that can be told apart, the statement is rewritten before it is compiled:
//
//	t[i], a = f(), a + 1    do local t', i', v1, v2 = t, i, f(), a + 1; a = v2; t'[i'] = v1 end
//
// A table constructor that ends with a field "name = f()" is helped in passing: the compiler mistakes the call for the last positional element.
//
// The names of the new variables begin with a bracket: no script can name them, and error messages pass them over.

// assignments rewrites the statements of a block, in place, and those of every block within.
func assignments(stmts []ast.Stmt) {
	for i, s := range stmts {
		switch s := s.(type) {
		case *ast.AssignStmt:
			within(s.Lhs...)
			within(s.Rhs...)
			if entangled(s) {
				stmts[i] = disentangle(s)
			}
		case *ast.LocalAssignStmt:
			within(s.Exprs...)
		case *ast.FuncCallStmt:
			within(s.Expr)
		case *ast.DoBlockStmt:
			assignments(s.Stmts)
		case *ast.WhileStmt:
			within(s.Condition)
			assignments(s.Stmts)
		case *ast.RepeatStmt:
			within(s.Condition)
			assignments(s.Stmts)
		case *ast.IfStmt:
			within(s.Condition)
			assignments(s.Then)
			assignments(s.Else)
		case *ast.NumberForStmt:
			within(s.Init, s.Limit, s.Step)
			assignments(s.Stmts)
		case *ast.GenericForStmt:
			within(s.Exprs...)
			assignments(s.Stmts)
		case *ast.FuncDefStmt:
			within(s.Func)
		case *ast.ReturnStmt:
			within(s.Exprs...)
		}
	}
}

// within finds the functions inside of expressions. Nothing is nested without bound: checkNesting has seen the text.
func within(exprs ...ast.Expr) {
	for _, x := range exprs {
		switch x := x.(type) {
		case *ast.FunctionExpr:
			if x != nil {
				assignments(x.Stmts)
			}
		case *ast.AttrGetExpr:
			within(x.Object, x.Key)
		case *ast.TableExpr:
			for i, f := range x.Fields {
				within(f.Key, f.Value)
				if i < len(x.Fields)-1 || f.Key == nil {
					continue
				}
				// The compiler would put all values of a call behind the last positional element, were it the last field.
				switch v := f.Value.(type) {
				case *ast.FuncCallExpr:
					v.AdjustRet = true
				case *ast.Comma3Expr:
					v.AdjustRet = true
				}
			}
		case *ast.FuncCallExpr:
			within(x.Func, x.Receiver)
			within(x.Args...)
		case *ast.LogicalOpExpr:
			within(x.Lhs, x.Rhs)
		case *ast.RelationalOpExpr:
			within(x.Lhs, x.Rhs)
		case *ast.StringConcatOpExpr:
			within(x.Lhs, x.Rhs)
		case *ast.ArithmeticOpExpr:
			within(x.Lhs, x.Rhs)
		case *ast.UnaryMinusOpExpr:
			within(x.Expr)
		case *ast.UnaryNotOpExpr:
			within(x.Expr)
		case *ast.UnaryLenOpExpr:
			within(x.Expr)
		}
	}
}

// entangled tells whether a variable that a statement assigns might be seen by what the statement evaluates later.
func entangled(s *ast.AssignStmt) bool {
	if len(s.Lhs) < 2 {
		return false
	}
	names := map[string]bool{}
	for _, x := range s.Lhs {
		if id, ok := x.(*ast.IdentExpr); ok {
			names[id.Value] = true
		}
	}
	if len(names) == 0 {
		return false
	}
	plain := func(x ast.Expr) bool {
		switch x := x.(type) {
		case ast.ConstExpr:
			return true
		case *ast.IdentExpr:
			return !names[x.Value]
		}
		return false
	}
	for _, x := range s.Lhs {
		if at, ok := x.(*ast.AttrGetExpr); ok && (!plain(at.Object) || !plain(at.Key)) {
			return true
		}
	}
	for _, x := range s.Rhs[1:] {
		if !plain(x) {
			return true
		}
	}
	return false
}

// disentangle makes a block of a statement: everything is evaluated into new variables, from left to right, and then assigned.
func disentangle(s *ast.AssignStmt) ast.Stmt {
	line, last := s.Line(), s.LastLine()
	at := func(p ast.PositionHolder) { p.SetLine(line); p.SetLastLine(last) }
	targets := &ast.LocalAssignStmt{}
	values := &ast.LocalAssignStmt{Exprs: s.Rhs}
	at(targets)
	at(values)
	variable := func(stmt *ast.LocalAssignStmt, prefix string) ast.Expr {
		name := "(" + prefix + itoa(len(stmt.Names)+1)
		stmt.Names = append(stmt.Names, name)
		id := &ast.IdentExpr{Value: name}
		at(id)
		return id
	}
	assign := make([]ast.Stmt, len(s.Lhs))
	for i, x := range s.Lhs {
		if g, ok := x.(*ast.AttrGetExpr); ok {
			place := &ast.AttrGetExpr{Object: g.Object, Key: g.Key}
			place.SetLine(g.Line())
			place.SetLastLine(g.LastLine())
			place.Object = variable(targets, "target ")
			targets.Exprs = append(targets.Exprs, g.Object)
			if _, ok := g.Key.(ast.ConstExpr); !ok {
				place.Key = variable(targets, "target ")
				targets.Exprs = append(targets.Exprs, g.Key)
			}
			x = place
		}
		single := &ast.AssignStmt{Lhs: []ast.Expr{x}, Rhs: []ast.Expr{variable(values, "value ")}}
		at(single)
		assign[len(s.Lhs)-1-i] = single // the last variable is assigned first
	}
	block := &ast.DoBlockStmt{}
	at(block)
	if len(targets.Names) > 0 {
		// One value each: a call must not fill the variables behind its own.
		for i, x := range targets.Exprs {
			if call, ok := x.(*ast.FuncCallExpr); ok && i == len(targets.Exprs)-1 {
				call.AdjustRet = true
			}
		}
		block.Stmts = append(block.Stmts, targets)
	}
	block.Stmts = append(append(block.Stmts, values), assign...)
	return block
}
