"""Regions of any number of pictures: nothing lost, nothing twice, on one machine or many.

    Manifest -> jobs.py      a picture and where its regions come from; what an output is called
    worker.py                one picture: opened once, its scene encoded once, its regions one batch; rows of the table
    crew.py                  hands pictures to workers and replaces those that die; an engine is what it hands them by
    local.py, cluster.py     the engines: processes of this machine, actors of a Ray cluster (the only import of ray)
    table.py                 a row for each region, kept as it is made, one Parquet file in the end
    run.py                   all of it together; signals and full disks
    bill.py, contact.py      what it would cost beforehand; a page to look at afterwards
    places.py                paths and URLs

An output's name follows from the picture's content, the region, the network's weights and the options, and it appears
whole or not at all: who finds the name has the result, so that a run that was broken off goes on by being run again.
"""
