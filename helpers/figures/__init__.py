"""Figures that answer the hand: one module a chapter, and what they are made of.

A figure is a function of plain values that draws, and a thin layer that calls it whenever a control moves.
"""
