"""Regions of any number of pictures: nothing lost, nothing twice, on one machine or many.

    manifest.py          pictures and what is asked of each, from a folder or a file
    tasks.py, rows.py    a picture and its regions; what an output is called; what became of it
    worker.py            one task: the picture opened once, its scene made once, its regions restored as one batch
    supervisor.py        hands tasks to workers and replaces those that die; an engine carries its messages
    engines/             processes of this machine, actors of a Ray cluster
    table.py             a row for each region, kept as it is made, one Parquet file in the end
    runner.py            all of it together; signals and full disks
    estimate.py          what it would cost
    contact_sheet.py     a page to look at afterwards
    storage.py           paths and URLs

An output's name follows from the picture's content, the region, the network's weights and the options, and it appears
whole or not at all: a name that is there is a result that is there, so that a run that was broken off goes on by being
run again.
"""
