"""The package as Python sees it: what `import audiocls` exports, and what the command line calls.

`audiocls/__init__.py` loads each name when it is first used. Keywords are named as the command
line's options are; what the command line prints is returned as a value, which a notebook shows,
`print` writes, and which hands out frames and figures.
"""
